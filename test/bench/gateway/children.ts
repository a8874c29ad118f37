/** Programs that a bench starts in the foreground and ends by their id. */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { waitFor } from '../../support/wait.ts'

export interface Child {
  readonly pid: number
  /** Resident memory in MiB, as the system counts it. */
  residentMb(): number
  stop(): Promise<void>
}

const STARTS_WITHIN_MS = 60_000
const STOPS_WITHIN_MS = 15_000

/** Resolves when `ready` holds; what it says goes to `log`. SQ tells of every request, so that its log is none. */
export async function startChild(command: readonly string[], options: { cwd: string; log: string; environment?: Readonly<Record<string, string>>; ready: () => Promise<boolean> }): Promise<Child> {
  const output = openSync(options.log, 'a')
  const [program, ...args] = command
  const child = spawn(program!, args, { cwd: options.cwd, env: { ...process.env, ...options.environment }, stdio: ['ignore', output, output] })
  closeSync(output)
  try {
    await waitFor(async () => hasEnded(child) || (await options.ready()), `${program} answers`, STARTS_WITHIN_MS)
    if (hasEnded(child)) throw new Error(`${program} ended at its start:\n${options.log === '/dev/null' ? '' : readFileSync(options.log, 'utf8').slice(-4000)}`)
  } catch (error) {
    await end(child)
    throw error
  }
  return {
    pid: child.pid!,
    residentMb: () => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]) / 1024,
    stop: () => end(child),
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child) || child.pid === undefined) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const tooLong = setTimeout(() => child.kill('SIGKILL'), STOPS_WITHIN_MS)
  await ended
  clearTimeout(tooLong)
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

/** The status of a GET with a key; 0 where nobody answers. */
export function statusOf(port: number, target: string, key: string): Promise<number> {
  return new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port, path: target, agent: false, headers: { Authorization: `Bearer ${key}` } }, (answer) => {
      answer.resume()
      resolve(answer.statusCode!)
    })
    asked.on('error', () => resolve(0)).end()
  })
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
