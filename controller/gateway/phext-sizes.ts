/** How large a tenant's phexts are, by what lies in its folder on this machine. A folder that does not exist yet holds nothing. */
import { readdir, rm, stat } from 'node:fs/promises'
import path from 'node:path'

export interface PhextSizes {
  /** Bytes by name, and of everything else that lies there; undefined where only one phext at a time can be asked for. */
  readonly list: (() => Promise<{ readonly phexts: ReadonlyMap<string, number>; readonly otherBytes: number }>) | undefined
  /** Undefined where there is none. */
  sizeOf(name: string): Promise<number | undefined>
  /** The copy that `json-export` leaves beside the phext: its answer is what was asked for, the file nobody can reach. */
  removeExport(name: string): Promise<void>
}

const ENDING = '.phext'
const AT_ONCE = 16

export function phextSizesIn(folder: string): PhextSizes {
  const sizeOf = async (name: string): Promise<number | undefined> => fileSize(path.join(folder, name + ENDING))
  return {
    sizeOf,
    async list() {
      const names = await readdir(folder).catch(whenMissing([]))
      const phexts = new Map<string, number>()
      let otherBytes = 0
      for (let at = 0; at < names.length; at += AT_ONCE) {
        const part = names.slice(at, at + AT_ONCE)
        const sizes = await Promise.all(part.map((name) => fileSize(path.join(folder, name))))
        part.forEach((name, index) => {
          const bytes = sizes[index] ?? 0
          if (name.endsWith(ENDING)) phexts.set(name.slice(0, -ENDING.length), bytes)
          else otherBytes += bytes
        })
      }
      return { phexts, otherBytes }
    },
    removeExport: (name) => rm(path.join(folder, `${name}${ENDING}.json`), { force: true }),
  }
}

async function fileSize(file: string): Promise<number | undefined> {
  return stat(file).then(({ size }) => size, whenMissing(undefined))
}

function whenMissing<T>(value: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT') return value
    throw error
  }
}
