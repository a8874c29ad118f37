/**
 * The gateway's own socket, for the controller and for operators on the machine: what runs here, its metrics, and "stop". Open to
 * the owner of HOME only; whoever may open it may stop the gateway.
 */
import { chmod, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { drainServer } from './public-server.ts'

const DRAIN_MS = 1_000

export interface ControlSocketParts {
  readonly path: string
  readonly state: () => Promise<object>
  readonly metricsText: () => Promise<string>
  /** Called once for each `POST /stop`, after it was answered. */
  readonly onStop: () => void
}

export interface ControlSocket {
  /** Rejects where another gateway answers on the same socket. */
  listen(): Promise<void>
  close(): Promise<void>
}

export function createControlSocket({ path, state, metricsText, onStop }: ControlSocketParts): ControlSocket {
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    switch (`${request.method} ${request.url}`) {
      case 'GET /':
        return send(response, 200, 'application/json', JSON.stringify(await state()))
      case 'GET /metrics':
        return send(response, 200, 'text/plain; version=0.0.4; charset=utf-8', await metricsText())
      case 'POST /stop':
        response.on('close', onStop)
        return send(response, 202, 'application/json', JSON.stringify({ stopping: true }))
      default:
        return send(response, 404, 'application/json', JSON.stringify({ error: 'GET /, GET /metrics or POST /stop' }))
    }
  }

  const server: Server = createServer((request, response) => {
    request.resume()
    answer(request, response).catch(() => response.destroy())
  })

  return {
    async listen() {
      if (await answers(path)) throw new Error(`Another gateway is running: it answers on ${path}. Stop it first, or use another home.`)
      await rm(path, { force: true })
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(path, resolve)
      })
      await chmod(path, 0o600)
    },
    close: () => (server.listening ? drainServer(server, DRAIN_MS) : Promise.resolve()),
  }
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body), Connection: 'close' }).end(body)
}

/** A socket file that a dead gateway left behind does not answer. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}
