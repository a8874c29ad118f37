/** The command line on a temporary HOME and a real bare repository, in this process, with what it writes kept. */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { CliContext, ExitCode } from '../../controller/cli/context.ts'
import { runProgram } from '../../controller/cli/program.ts'
import { createBareRepository } from '../../controller/git/bare-repository.ts'
import { gitIn } from '../support/repository.ts'
import { tempFolder } from '../support/temp.ts'
import { fileOf, SHARED_FILES, type TextFile } from '../support/tenant-files.ts'

export interface Ran {
  readonly code: ExitCode
  readonly out: string
  readonly error: string
}

export interface Terminal {
  readonly folder: string
  readonly home: string
  readonly repository: string
  at: Date
  run(...args: string[]): Promise<Ran>
  json<T>(...args: string[]): Promise<T>
  /** A file of the repository at a revision. */
  show(file: string, revision?: string): string
  git(...args: string[]): string
  /** Commits files by hand; null removes. */
  commit(files: Readonly<Record<string, string | null>>): string
}

const PROGRAM = path.resolve(import.meta.dirname, '../..')

export async function terminal(files: readonly TextFile[] = [...SHARED_FILES, fileOf(1), fileOf(2)], environment: Record<string, string> = {}): Promise<Terminal> {
  const folder = tempFolder('cli')
  const home = path.join(folder, 'data')
  const repository = path.join(home, 'tenants.git')
  if (files.length > 0) await createBareRepository({ folder: repository, branch: 'main', files, message: 'first', environment: process.env, now: () => new Date('2026-03-01T00:00:00Z') })
  const term: Terminal = {
    folder,
    home,
    repository,
    at: new Date('2026-03-01T12:00:00Z'),
    async run(...args) {
      let out = ''
      let error = ''
      const context: CliContext = {
        machine: {
          environment: { PATH: process.env['PATH'], TENANTRY_MASTER_KEY: `1:${'11'.repeat(32)}`, ...environment },
          node: process.execPath,
          pid: process.pid,
          kill: () => {
            throw new Error('no command of these tests ends anything')
          },
          user: '1:1',
          now: () => term.at,
          chance: () => 0,
        },
        folder,
        programFolder: PROGRAM,
        version: '1.2.3',
        isTerminal: false,
        writeOut: (text) => void (out += text),
        writeError: (text) => void (error += text),
        onSignal: () => undefined,
        now: () => term.at,
        person: { name: 'Ada', email: 'ada@example.com' },
      }
      const code = await runProgram(context, args, () => Promise.reject(new Error('no sandbox here')))
      return { code, out, error }
    },
    async json<T>(...args: string[]) {
      return JSON.parse((await term.run('--json', ...args)).out) as T
    },
    show: (file, revision = 'main') => gitIn(repository, 'show', `${revision}:${file}`),
    git: (...args) => gitIn(repository, ...args),
    commit(changes) {
      const clone = path.join(tempFolder('clone'), 'c')
      gitIn('/', 'clone', '--quiet', repository, clone)
      for (const [file, text] of Object.entries(changes)) {
        if (text === null) gitIn(clone, 'rm', '--quiet', file)
        else {
          mkdirSync(path.dirname(path.join(clone, file)), { recursive: true })
          writeFileSync(path.join(clone, file), text)
        }
      }
      gitIn(clone, 'add', '--all')
      gitIn(clone, 'commit', '--quiet', '--message', 'by hand')
      gitIn(clone, 'push', '--quiet')
      return gitIn(clone, 'rev-parse', 'HEAD')
    },
  }
  return term
}
