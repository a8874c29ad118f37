/**
 * The loaded phexts and their files: carries out what a command's outcome says.
 * Keeps what is in memory and what is on disk in step.
 */
import { isTooLarge, runCommand, type Command, type Outcome } from './commands.ts'
import type { PhextFiles } from './files.ts'
import { parsePhext, serialisePhext, type Phext } from './phext.ts'

export interface Result {
  readonly status: 200 | 400 | 413
  readonly text: string
}

export interface Library {
  run(command: Command): Result
}

export interface LibraryOptions {
  /** `all`: each phext stays loaded. `last`: as SQ for one tenant, which forgets a phext when another is asked for. */
  readonly keep: 'all' | 'last'
  readonly files: PhextFiles
}

/** Least recently used phexts are dropped above this, and loaded again when asked for: every change is in the file by then. */
const MAX_LOADED_BYTES = 256 * 1024 * 1024

const tooLarge: Result = { status: 413, text: 'Payload Too Large: the phext would be more than the bundled SQ can hold' }
const ok = (text: string): Result => ({ status: 200, text })

export function createLibrary({ keep, files }: LibraryOptions): Library {
  /** By path, the most recently used last. */
  const loaded = new Map<string, { phext: Phext; bytes: number }>()

  let loadedBytes = 0

  function forget(file: string): void {
    loadedBytes -= loaded.get(file)?.bytes ?? 0
    loaded.delete(file)
  }

  function remember(file: string, phext: Phext, bytes: number): void {
    forget(file)
    for (const oldest of loaded.keys()) {
      if (keep === 'all' && loadedBytes + bytes <= MAX_LOADED_BYTES) break
      forget(oldest)
    }
    loaded.set(file, { phext, bytes })
    loadedBytes += bytes
  }

  /** A phext that is not there yet becomes an empty file; one that cannot be read counts as empty, as in SQ. Undefined: too large. */
  function open(file: string, fresh: boolean): Phext | undefined {
    const known = loaded.get(file)
    if (known && !fresh) {
      remember(file, known.phext, known.bytes)
      return known.phext
    }
    files.ensure(file)
    const read = files.read(file)
    if (read.kind === 'too large' || (read.kind === 'text' && isTooLarge(read.text))) return undefined
    const text = read.kind === 'text' ? read.text : ''
    const phext = parsePhext(text)
    remember(file, phext, Buffer.byteLength(text))
    return phext
  }

  function change(file: string, phext: Phext, outcome: Extract<Outcome, { kind: 'change' }>): Result {
    const before = phext.get(outcome.key)
    const put = (scroll: string | undefined) => (scroll === undefined ? phext.delete(outcome.key) : phext.set(outcome.key, scroll))
    put(outcome.scroll)
    let text: string
    try {
      text = serialisePhext(phext)
    } catch (error) {
      put(before)
      throw error
    }
    if (isTooLarge(text)) {
      put(before)
      return tooLarge
    }
    files.replace(file, text)
    remember(file, phext, Buffer.byteLength(text))
    return ok(outcome.text)
  }

  return {
    run(command) {
      const file = command.path
      const phext = open(file, command.name === 'load' || command.name === 'json-export')
      if (!phext) return tooLarge
      const outcome = runCommand(phext, command)
      switch (outcome.kind) {
        case 'answer':
          return ok(outcome.text)
        case 'refused':
          return { status: outcome.status, text: outcome.text }
        case 'change':
          return change(file, phext, outcome)
        case 'export':
          files.replace(`${file}.json`, outcome.text)
          return ok(outcome.text)
        case 'file': {
          const read = files.read(file)
          if (read.kind === 'too large') return tooLarge
          return ok(read.kind === 'text' ? read.text : `Unable to open requested phext ${file}: ${read.reason}`)
        }
      }
    },
  }
}
