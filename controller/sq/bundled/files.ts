/**
 * Phext files on disk: made when they are missing, read whole, replaced whole. Failures are logged and do not reach the caller: SQ answers
 * as if the write had worked, and so does this one. Calls are synchronous: no request sees another's half.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { MAX_PHEXT_BYTES } from './commands.ts'
import { decodeStrict } from './rust-text.ts'

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'No such file or directory (os error 2)',
  EACCES: 'Permission denied (os error 13)',
  ENOTDIR: 'Not a directory (os error 20)',
  EISDIR: 'Is a directory (os error 21)',
  ENAMETOOLONG: 'File name too long (os error 36)',
  ELOOP: 'Too many levels of symbolic links (os error 40)',
  ERR_INVALID_ARG_VALUE: 'file name contained an unexpected NUL byte',
}

export function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
  return REASONS[code] ?? code
}

export type FileText = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'unreadable'; readonly reason: string } | { readonly kind: 'too large' }

/** Not `mkdir` with `recursive`: where a folder can never be made, as below /proc, that one never returns. */
export function makeFolder(folder: string): void {
  if (existsSync(folder)) return
  const parent = path.dirname(folder)
  if (parent !== folder) makeFolder(parent)
  try {
    mkdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** Only regular files: reading a pipe would stop everybody. */
function readText(file: string): FileText {
  try {
    const stat = statSync(file)
    if (stat.isDirectory()) return { kind: 'unreadable', reason: REASONS['EISDIR']! }
    if (!stat.isFile()) return { kind: 'unreadable', reason: 'not a regular file' }
    if (stat.size > MAX_PHEXT_BYTES) return { kind: 'too large' }
    const text = decodeStrict(readFileSync(file))
    return text === undefined ? { kind: 'unreadable', reason: 'stream did not contain valid UTF-8' } : { kind: 'text', text }
  } catch (error) {
    return { kind: 'unreadable', reason: reasonOf(error) }
  }
}

export interface PhextFiles {
  /** Makes an empty file, and its folder, where there is none. */
  ensure(file: string): void
  read(file: string): FileText
  /** Beside and renamed: a reader, or a crash, sees the old text or the new one. */
  replace(file: string, text: string): void
}

export interface PhextFilesOptions {
  /** Name of the file beside a phext that becomes it; one for each process. */
  readonly temporaryName: string
  readonly log: (line: string) => void
}

export function createPhextFiles({ temporaryName, log }: PhextFilesOptions): PhextFiles {
  function attempt(what: string, file: string, action: () => void): void {
    try {
      action()
    } catch (error) {
      log(`${what} ${JSON.stringify(file)} failed: ${reasonOf(error)}`)
    }
  }

  return {
    ensure(file) {
      if (existsSync(file)) return
      attempt('making the folder of', file, () => makeFolder(path.dirname(file)))
      attempt('making', file, () => writeFileSync(file, '', { flag: 'wx' }))
    },
    read(file) {
      const found = readText(file)
      if (found.kind === 'unreadable') log(`reading ${JSON.stringify(file)} failed: ${found.reason}`)
      return found
    },
    replace(file, text) {
      const temporary = path.join(path.dirname(file), temporaryName)
      attempt('writing', file, () => {
        try {
          writeFileSync(temporary, text)
          renameSync(temporary, file)
        } catch (error) {
          rmSync(temporary, { force: true })
          throw error
        }
      })
    },
  }
}
