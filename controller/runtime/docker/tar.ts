/** Tar archives of a few small files, which is how the engine takes and gives files. Knows the plain ustar format, nothing of Docker. */

const BLOCK = 512
const NAME_LIMIT = 100
const REGULAR_TYPES = new Set(['0', '\0'])

export interface TarEntry {
  readonly name: string
  readonly text: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

export function packTar(entries: readonly TarEntry[], now: Date): Buffer {
  const blocks = entries.flatMap((entry) => {
    const content = Buffer.from(entry.text)
    return [header(entry, content.length, now), content, Buffer.alloc(padding(content.length))]
  })
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)])
}

/** The regular files of an archive; folders and the records of other formats are passed over. */
export function unpackTar(archive: Buffer): TarEntry[] {
  const entries: TarEntry[] = []
  for (let at = 0; at + BLOCK <= archive.length && archive[at] !== 0; ) {
    const head = archive.subarray(at, at + BLOCK)
    const size = octal(head, 124, 12)
    const start = at + BLOCK
    if (REGULAR_TYPES.has(String.fromCharCode(head[156]!))) {
      const text = archive.toString('utf8', start, start + size)
      entries.push({ name: cString(head, 0, NAME_LIMIT), text, mode: octal(head, 100, 8) & 0o7777, uid: octal(head, 108, 8), gid: octal(head, 116, 8) })
    }
    at = start + size + padding(size)
  }
  return entries
}

const padding = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK

const cString = (block: Buffer, at: number, length: number): string => block.toString('utf8', at, at + length).split('\0')[0]!

const octal = (block: Buffer, at: number, length: number): number => parseInt(cString(block, at, length).trim() || '0', 8)

function header({ name, mode, uid, gid }: TarEntry, size: number, now: Date): Buffer {
  if (Buffer.byteLength(name) > NAME_LIMIT) throw new Error(`the file name ${name} is over ${NAME_LIMIT} bytes`)
  const block = Buffer.alloc(BLOCK)
  const number = (value: number, at: number, length: number) => block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at)
  block.write(name, 0)
  number(mode, 100, 8)
  number(uid, 108, 8)
  number(gid, 116, 8)
  number(size, 124, 12)
  number(Math.floor(now.getTime() / 1000), 136, 12)
  block.write('0', 156)
  block.write('ustar\0', 257)
  block.write('00', 263)
  // The checksum counts its own field as spaces.
  block.write('        ', 148)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}
