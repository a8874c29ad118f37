/**
 * Clears lock files that a killed git left in a bare repository; without this one `kill -9` would refuse every later commit and push.
 * A lock goes only when it is old and no git process of this machine works in the repository. Where processes can't be listed
 * (no /proc), or git runs on another machine that shares the disk, age alone decides: git holds these locks for milliseconds.
 */
import { readdir, readFile, readlink, realpath, rm, stat } from 'node:fs/promises'
import path from 'node:path'

export interface LockPolicy {
  readonly now: () => Date
  /** Age from which a lock counts as left behind, where this machine's processes can be listed. */
  readonly staleAfterMs: number
}

export const STALE_LOCK_MS = 5000
const STALE_UNSEEN_MS = 60_000

/** Where a bare repository has locks: `config.lock`, `packed-refs.lock`, `gc.pid.lock`; `main.lock`; reftable; the commit graph; the pack index. */
const PLACES = [
  { folder: '.', recursive: false },
  { folder: 'refs', recursive: true },
  { folder: 'reftable', recursive: false },
  { folder: 'objects/info', recursive: true },
  { folder: 'objects/pack', recursive: false },
]

/** The locks that were removed. Throws where the repository itself can't be read. */
export async function removeStaleLocks(repository: string, policy: LockPolicy): Promise<string[]> {
  const old = await oldLocks(repository, policy)
  if (old.length === 0) return []
  const busy = await isGitAtWork(repository)
  if (busy === true) return []
  const stale = old.filter((lock) => busy === false || lock.ageMs >= STALE_UNSEEN_MS)
  for (const lock of stale) await rm(lock.file, { force: true })
  return stale.map((lock) => lock.file)
}

async function oldLocks(repository: string, policy: LockPolicy): Promise<{ file: string; ageMs: number }[]> {
  const found: { file: string; ageMs: number }[] = []
  for (const place of PLACES) {
    const folder = path.join(repository, place.folder)
    const names = await readdir(folder, { recursive: place.recursive }).catch(noneUnless(place.folder === '.'))
    // A killed fast-import also leaves a report beside the locks, which nobody reads.
    for (const name of names.filter((each) => each.endsWith('.lock') || each.startsWith('fast_import_crash_'))) {
      const file = path.join(folder, name)
      const seen = await stat(file).catch(() => undefined)
      const ageMs = seen === undefined ? 0 : policy.now().getTime() - seen.mtimeMs
      if (seen?.isFile() === true && ageMs >= policy.staleAfterMs) found.push({ file, ageMs })
    }
  }
  return found
}

function noneUnless(required: boolean): (error: NodeJS.ErrnoException) => string[] {
  return (error) => {
    if (!required && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return []
    throw error
  }
}

/** undefined where processes can't be listed. `cat-file` takes no locks, and one of ours always runs. */
async function isGitAtWork(repository: string): Promise<boolean | undefined> {
  const ids = await readdir('/proc').then(
    (names) => names.filter((name) => /^\d+$/.test(name)),
    () => [],
  )
  if (ids.length === 0) return undefined
  const folders = [repository, await realpath(repository)]
  for (const id of ids) {
    // A process that ends while it is looked at, or belongs to somebody else, answers with nothing.
    const commandLine = await readFile(`/proc/${id}/cmdline`, 'latin1').catch(() => '')
    const args = commandLine.split('\0')
    if (!/(^|\/)git(-[a-z-]+)?$/.test(args[0] ?? '') || args.includes('cat-file')) continue
    const workingFolder = await readlink(`/proc/${id}/cwd`).catch(() => '')
    if (folders.some((folder) => workingFolder === folder || workingFolder.startsWith(folder + path.sep) || commandLine.includes(folder))) return true
  }
  return false
}
