/** Entry: the only file of the controller that touches `process`, and the only one that may load the sandbox. */
import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import path from 'node:path'
import { setFlagsFromString } from 'node:v8'
import type { CliContext } from './cli/context.ts'
import { runProgram } from './cli/program.ts'

// By itself the heap grows to four times of what it holds before it is cleaned up.
setFlagsFromString('--heap-growing-percent=60')
setFlagsFromString('--semi-space-growth-factor=1')

const programFolder = path.dirname(import.meta.dirname)
const { version } = JSON.parse(readFileSync(path.join(programFolder, 'package.json'), 'utf8')) as { version: string }
const { uid, gid, username } = userInfo()

const context: CliContext = {
  machine: {
    environment: process.env,
    node: process.execPath,
    pid: process.pid,
    kill: (pid, signal) => void process.kill(pid, signal),
    user: `${uid}:${gid}`,
    now: () => new Date(),
    chance: Math.random,
  },
  folder: process.cwd(),
  programFolder,
  version,
  isTerminal: process.stderr.isTTY,
  writeOut: (text) => void process.stdout.write(text),
  writeError: (text) => void process.stderr.write(text),
  onSignal: (handle) => {
    process.once('SIGINT', () => handle('SIGINT'))
    process.once('SIGTERM', () => handle('SIGTERM'))
  },
  now: () => new Date(),
  person: { name: process.env['GIT_AUTHOR_NAME'] ?? username, email: process.env['GIT_AUTHOR_EMAIL'] ?? `${username}@localhost` },
}

process.exitCode = await runProgram(context, process.argv.slice(2), async (options) => (await import('../sandbox/start.ts')).startSandbox(options))
// What a command leaves behind (a watch, a keep-alive connection) must not keep it from ending.
await new Promise<void>((resolve) => process.stdout.write('', () => resolve()))
process.exit()
