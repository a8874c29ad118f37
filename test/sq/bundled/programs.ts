/** Starts the real SQ and the bundled one, and speaks to them in bytes. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import { findProgram } from '../../support/parts.ts'
import { tempFolder } from '../../support/temp.ts'
import { waitFor } from '../../support/wait.ts'

const BUNDLED = path.join(import.meta.dirname, '../../../controller/sq/bundled/main.ts')

export interface Program {
  readonly port: number
  /** Its working folder: data folders are given relative to it, so that both programs show the same paths. */
  readonly folder: string
  output(): string
  readonly child: ChildProcess
  stop(): Promise<void>
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

export function newFolder(): string {
  const folder = tempFolder('sq')
  mkdirSync(path.join(folder, 'data'))
  return folder
}

/** `options` is what follows `host PORT`. */
export async function startSq(which: 'real' | 'bundled', folder: string, options: readonly string[]): Promise<Program> {
  const port = await freePort()
  const [file, ...start] = which === 'real' ? [findProgram('sq')!] : [process.execPath, BUNDLED]
  const child = spawn(file!, [...start, 'host', String(port), ...options], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    // The real one tells of every request: only what it says at its start is wanted.
    stream.on('data', (text: string) => (output.length < 100_000 ? (output += text) : undefined))
  }
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const stop = async () => {
    child.kill('SIGKILL')
    await ended
  }
  try {
    await waitFor(() => child.exitCode !== null || /listening on/i.test(output), `${which} SQ to listen`)
    if (child.exitCode !== null) throw new Error(`${which} SQ ended: ${output}`)
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
  return { port, folder, output: () => output, child, stop }
}

export interface RawRequest {
  readonly bytes: Buffer
  /** Tell the program that no more comes, without closing. */
  readonly halfClose?: boolean
}

/** Everything the program sends until it closes. */
export function ask(port: number, { bytes, halfClose }: RawRequest, limitMs = 20_000): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    const socket = connect(port, '127.0.0.1')
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`no end of the answer within ${limitMs} ms to ${JSON.stringify(bytes.toString('latin1').slice(0, 500))}`))
    }, limitMs)
    socket.on('data', (part) => parts.push(part))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(Buffer.concat(parts))
    })
    if (halfClose) socket.end(bytes)
    else socket.write(bytes)
  })
}

/** All files below a folder, by relative path. */
export function filesBelow(folder: string): Map<string, Buffer> {
  const files = new Map<string, Buffer>()
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name)
    files.set(path.relative(folder, file), entry.isFile() ? readFileSync(file) : Buffer.from('(folder)'))
  }
  return files
}
