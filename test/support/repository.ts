/** A clone of a tenant repository, as an operator has one: change files, commit, push. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { tempFolder } from './temp.ts'

export interface Clone {
  readonly folder: string
  git(...args: string[]): string
  read(file: string): string
  write(file: string, text: string): void
  edit(file: string, change: (text: string) => string): void
  remove(file: string): void
  /** Commits all that lies in the folder on top of what was pushed meanwhile; answers the commit's id. */
  push(message: string): string
}

const ENVIRONMENT = {
  PATH: process.env['PATH'] ?? '',
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'An Operator',
  GIT_AUTHOR_EMAIL: 'operator@example.com',
  GIT_COMMITTER_NAME: 'An Operator',
  GIT_COMMITTER_EMAIL: 'operator@example.com',
}

export function gitIn(folder: string, ...args: string[]): string {
  return execFileSync('git', ['-c', 'protocol.file.allow=always', '-C', folder, ...args], { encoding: 'utf8', env: ENVIRONMENT, stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 64 * 1024 * 1024 }).trim()
}

export function cloneRepository(location: string): Clone {
  const folder = path.join(tempFolder('clone'), 'tenants')
  gitIn('/', 'clone', '--quiet', location, folder)
  const at = (file: string): string => path.join(folder, file)
  const git = (...args: string[]): string => gitIn(folder, ...args)
  const read = (file: string): string => readFileSync(at(file), 'utf8')
  function write(file: string, text: string): void {
    mkdirSync(path.dirname(at(file)), { recursive: true })
    writeFileSync(at(file), text)
  }
  return {
    folder,
    git,
    read,
    write,
    edit(file, change) {
      const text = read(file)
      const changed = change(text)
      if (changed === text) throw new Error(`the change of ${file} changes nothing`)
      write(file, changed)
    },
    remove: (file) => rmSync(at(file), { recursive: true }),
    push(message) {
      git('add', '--all')
      git('commit', '--quiet', '--message', message)
      git('pull', '--quiet', '--rebase')
      git('push', '--quiet')
      return git('rev-parse', 'HEAD')
    },
  }
}
