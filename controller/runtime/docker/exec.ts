/** Runs a command in a container and waits for its end. */
import { setTimeout as delay } from 'node:timers/promises'
import { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type Docker from 'dockerode'
import { ReconcileError } from '../../core/outcome.ts'

const OUTPUT_LIMIT = 64 * 1024
const TIME_LIMIT_MS = 30_000
const POLL_MS = 20

export interface ExecResult {
  readonly exitCode: number
  /** Standard output and error as they came, cut where there is too much. */
  readonly output: string
}

export async function execIn(docker: Docker, container: Docker.Container, command: readonly string[], mostBytes = OUTPUT_LIMIT): Promise<ExecResult> {
  const exec = await container.exec({ Cmd: [...command], AttachStdout: true, AttachStderr: true })
  const stream = await exec.start({ hijack: false, stdin: false })
  const output = await collect(docker, stream, command, mostBytes)
  return { exitCode: await exitCode(exec), output }
}

async function collect(docker: Docker, stream: NodeJS.ReadableStream & { destroy(error: Error): void }, command: readonly string[], mostBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (size < mostBytes) chunks.push(chunk.subarray(0, mostBytes - size))
      size += chunk.length
      done()
    },
  })
  const late = () => stream.destroy(new ReconcileError({ kind: 'transient' }, 'ExecTimeout', `${command[0]} did not end within ${TIME_LIMIT_MS} ms inside the container`))
  const timer = setTimeout(late, TIME_LIMIT_MS)
  try {
    docker.modem.demuxStream(stream, sink, sink)
    await finished(stream)
  } finally {
    clearTimeout(timer)
  }
  return Buffer.concat(chunks).toString()
}

/** Only `inspect` tells it, and for a moment after the output's end it may not know yet. */
async function exitCode(exec: Docker.Exec): Promise<number> {
  for (let waited = 0; waited < TIME_LIMIT_MS; waited += POLL_MS) {
    const { Running: running, ExitCode: code } = await exec.inspect()
    if (!running && code !== null) return code
    await delay(POLL_MS)
  }
  throw new ReconcileError({ kind: 'transient' }, 'ExecTimeout', 'the engine does not say how a command inside the container ended')
}
