/**
 * Says when a bare repository's refs may have moved, through chokidar. A hint only: it may call too often, and a lost event is the
 * timer's to make good. Never reads git.
 */
import path from 'node:path'
import { watch } from 'chokidar'

/** A push touches several files at once; one call is enough for them. */
const SETTLE_MS = 5

/** The loose branches, the packed ones, and git's newer table of both. */
const WATCHED = ['packed-refs', 'refs', 'refs/heads', 'reftable']

export async function watchRefs(folder: string, poke: () => void): Promise<() => Promise<void>> {
  let timer: NodeJS.Timeout | undefined
  const pokeSoon = () => {
    timer ??= setTimeout(() => {
      timer = undefined
      poke()
    }, SETTLE_MS)
  }
  const watcher = watch(folder, { ignored: (file) => !isWatched(path.relative(folder, file)), ignoreInitial: true, atomic: false, ignorePermissionErrors: true })
  watcher.on('all', pokeSoon)
  // chokidar drops an event that follows another within milliseconds, such as a second push; the system's own events don't.
  watcher.on('raw', (_event, name, details) => {
    const touched = path.relative(folder, path.resolve((details as { watchedPath?: string }).watchedPath ?? folder, name ?? ''))
    if (isWatched(touched)) pokeSoon()
  })
  watcher.on('error', pokeSoon)
  await new Promise<void>((resolve) => watcher.once('ready', resolve))
  return async () => {
    clearTimeout(timer)
    await watcher.close()
  }
}

function isWatched(relative: string): boolean {
  if (relative === '') return true
  if (relative.endsWith('.lock')) return false
  return WATCHED.includes(relative) || relative.startsWith('refs/heads/') || relative.startsWith('reftable/')
}
