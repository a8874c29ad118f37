/**
 * Starts git on one bare repository: argument arrays, no shell, an environment made here, errors with git's own words and no
 * credentials. Everything that needs a stream, standard input or raw bytes goes through this file; the network is network.ts.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import path from 'node:path'
import { redact } from './location.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export interface RunOptions {
  readonly input?: Buffer | string
  readonly timeoutMs?: number
}

export interface RunningGit {
  readonly child: ChildProcessWithoutNullStreams
  /** Settles when the process has ended and its output is read; rejects with a GitError unless it exited with 0. */
  readonly done: Promise<void>
}

export interface GitCommand {
  /** The bare repository, as an absolute path. */
  readonly folder: string
  launch(args: readonly string[], timeoutMs?: number): RunningGit
  run(args: readonly string[], options?: RunOptions): Promise<Buffer>
  /** Standard output as it comes; throws after the last chunk if git failed. Leaving early ends the process. */
  stream(args: readonly string[]): AsyncGenerator<Buffer, void, undefined>
}

export class GitError extends Error {
  override readonly name = 'GitError'
  /** Absent where git was ended by a signal, or never started. */
  readonly exitCode: number | undefined

  constructor(message: string, exitCode: number | undefined, options?: ErrorOptions) {
    super(redact(message), options)
    this.exitCode = exitCode
  }
}

/** What git may see of the program's own environment: no secret of ours, and no GIT_DIR that would point it elsewhere. */
const PASSED_ON = [
  'PATH', 'HOME', 'USER', 'LOGNAME', 'TMPDIR', 'XDG_CONFIG_HOME', 'SSH_AUTH_SOCK', 'GIT_SSH_COMMAND', 'GIT_ASKPASS', 'GIT_SSL_CAINFO',
  'http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'ALL_PROXY', 'SystemRoot',
]

export function gitEnvironment(environment: Environment): Record<string, string> {
  const passed = PASSED_ON.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]] as const]))
  return {
    ...Object.fromEntries(passed),
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    // ssh asks on the terminal itself, whatever standard input is: a program that always declines keeps it from waiting for ever.
    SSH_ASKPASS: 'false',
    SSH_ASKPASS_REQUIRE: 'force',
    // Whoever may push refs/replace/* must not be able to give a blob id other contents.
    GIT_NO_REPLACE_OBJECTS: '1',
  }
}

/**
 * Loose objects and refs are on the disk before a commit counts as done: git alone would leave loose objects to the system,
 * and a power cut could lose a payment that was already answered. Hooks are for pushes of others, not for what is done here.
 */
export const SETTINGS = ['core.hooksPath=/dev/null', 'core.fsync=committed', 'core.fsyncMethod=batch', 'core.filesRefLockTimeout=1000', 'gc.auto=0', 'core.quotePath=false']

const STDERR_KEPT = 4096

export function createGitCommand(options: { readonly folder: string; readonly environment: Environment }): GitCommand {
  const folder = path.resolve(options.folder)
  const env = gitEnvironment(options.environment)
  const head = [`--git-dir=${folder}`, ...SETTINGS.flatMap((setting) => ['-c', setting]), '--literal-pathspecs']

  function launch(args: readonly string[], timeoutMs?: number): RunningGit {
    // Not started inside the repository: a folder that is gone must be git's error, not "git not found".
    const child = spawn('git', [...head, ...args], { cwd: path.parse(folder).root, env, stdio: 'pipe', ...(timeoutMs === undefined ? {} : { timeout: timeoutMs, killSignal: 'SIGTERM' }) })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-STDERR_KEPT)))
    // A process that ends before it has read everything is reported by its exit code.
    child.stdin.on('error', () => undefined)
    const done = new Promise<void>((resolve, reject) => {
      child.on('error', (cause) => reject(new GitError(`git could not be started: ${cause.message}. Install git, or put it on the PATH.`, undefined, { cause })))
      child.on('close', (code, signal) => {
        if (code === 0) return resolve()
        const how = signal === null ? `failed with exit code ${code}` : `was ended by ${signal}`
        reject(new GitError(`git ${args[0]} ${how} in ${folder}: ${stderr.trim() || 'no message'}`, code ?? undefined))
      })
    })
    done.catch(() => undefined)
    return { child, done }
  }

  async function run(args: readonly string[], { input, timeoutMs }: RunOptions = {}): Promise<Buffer> {
    const { child, done } = launch(args, timeoutMs)
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.stdin.end(input)
    await done
    return Buffer.concat(chunks)
  }

  async function* stream(args: readonly string[]): AsyncGenerator<Buffer, void, undefined> {
    const { child, done } = launch(args)
    child.stdin.end()
    try {
      for await (const chunk of child.stdout) yield chunk as Buffer
      await done
    } finally {
      if (child.exitCode === null) child.kill()
    }
  }

  return { folder, launch, run, stream }
}

/** Ids go into command lines and streams: one that is none must not become an option or a second command. */
export function checkObjectId<Id extends string>(id: Id): Id {
  if (!/^[0-9a-f]{40,64}$/.test(id)) throw new Error(`${JSON.stringify(id)} is not the full name of a git object.`)
  return id
}

/** The NUL-ended records of git's `-z` output, as text. */
export async function* nulRecords(chunks: AsyncIterable<Buffer>): AsyncGenerator<string, void, undefined> {
  let begun: Buffer[] = []
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(0); end !== -1; end = chunk.indexOf(0, start)) {
      const piece = chunk.subarray(start, end)
      yield (begun.length === 0 ? piece : Buffer.concat([...begun, piece])).toString('utf8')
      begun = []
      start = end + 1
    }
    if (start < chunk.length) begun.push(chunk.subarray(start))
  }
  if (begun.length > 0) yield Buffer.concat(begun).toString('utf8')
}
