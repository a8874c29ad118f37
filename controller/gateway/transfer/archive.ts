/**
 * The archive of a tenant's phexts: a tar file with `phexts/NAME.phext` for each, exactly as SQ has them on disk, then `manifest.json` and
 * `SHA256SUMS`, which `sha256sum -c` reads. Each phext's checksum also stands before it, so that it can be checked as it comes. Names here
 * what both directions agree on; reads and writes nothing.
 */

export const ARCHIVE_FORMAT = 'tenantry-archive/1'
export const MANIFEST = 'manifest.json'
export const SUMS = 'SHA256SUMS'
/** The record of a phext's extended header (pax) that holds its checksum: the one record of which no program complains. */
export const SUM_RECORD = 'comment'
export const SUM_PREFIX = 'sha256:'

export interface ArchivedPhext {
  readonly name: string
  readonly bytes: number
  readonly sha256: string
}

export interface Manifest {
  readonly format: typeof ARCHIVE_FORMAT
  readonly tenant: string
  readonly exportedAt: string
  /** The name that this archive begins after, where it goes on from another. */
  readonly after?: string
  readonly phexts: readonly ArchivedPhext[]
  /** What could not be read, and why. */
  readonly failed: readonly { readonly name: string; readonly reason: string }[]
}

const FOLDER = 'phexts/'
const ENDING = '.phext'

export const pathOfPhext = (name: string): string => `${FOLDER}${name}${ENDING}`

/** Undefined for what is no phext. A leading `./`, as `tar` writes it, is passed over. */
export function phextOfPath(path: string): string | undefined {
  const plain = path.replace(/^(\.\/)+/, '')
  if (!plain.startsWith(FOLDER) || !plain.endsWith(ENDING)) return undefined
  const name = plain.slice(FOLDER.length, -ENDING.length)
  return name.includes('/') ? undefined : name
}

/**
 * The order of an archive: by bytes, but a directory of names behind the texts that it names. What is made between the two is then a name
 * without a text, which reads as nothing, and never a text without a name.
 */
export function inArchiveOrder(names: Iterable<string>): string[] {
  const keyed = Array.from(names, (name) => ({ name, key: orderKey(name) }))
  return keyed.sort((left, right) => Buffer.compare(left.key, right.key)).map(({ name }) => name)
}

export function isAfter(name: string, after: string): boolean {
  return Buffer.compare(orderKey(name), orderKey(after)) > 0
}

const NAMES = '~names'

function orderKey(name: string): Buffer {
  return Buffer.from(name.endsWith(NAMES) ? `${name.slice(0, -NAMES.length)}~text\0` : name)
}

/** A line as `sha256sum` writes it: a name with a newline or a backslash is written with escapes, and the line begins with a backslash. */
export function sumLine({ name, sha256 }: ArchivedPhext): string {
  const path = pathOfPhext(name)
  const escaped = path.replace(/[\\\n\r]/g, (character) => (character === '\\' ? '\\\\' : character === '\n' ? '\\n' : '\\r'))
  return `${escaped === path ? '' : '\\'}${sha256}  ${escaped}\n`
}

/** Checksum by path. Lines that are none are passed over. */
export function readSums(text: string): Map<string, string> {
  const sums = new Map<string, string>()
  for (const line of text.split('\n')) {
    const match = /^(\\?)([0-9a-f]{64}) [ *](.+)$/.exec(line)
    if (match === null) continue
    const [, escaped, sum, path] = match
    sums.set(escaped === '' ? path! : path!.replace(/\\([\\nr])/g, (_, character: string) => (character === 'n' ? '\n' : character === 'r' ? '\r' : '\\')), sum!)
  }
  return sums
}
