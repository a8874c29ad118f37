/** A real smart-HTTP git server on 127.0.0.1: git's own http-backend behind Basic authentication. */
import { execFileSync, spawn } from 'node:child_process'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { onTestFinished } from 'vitest'

export interface HttpGit {
  readonly port: number
  /** 503 to everything while true. */
  down: boolean
  /** Takes the next push and then cuts the connection instead of answering. */
  cutNextPush: boolean
  /** Runs between the client's look at the branch and its push. */
  beforePush: (() => void) | undefined
}

export async function serveOverHttp(repository: string, credentials: { username: string; password: string }): Promise<HttpGit> {
  const expected = `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`
  const state: HttpGit = { port: 0, down: false, cutNextPush: false, beforePush: undefined }
  const server = createServer((request, response) => {
    if (state.down) return response.writeHead(503).end()
    if (request.headers.authorization !== expected) return response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end()
    return serve(repository, request, response, state)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return Object.assign(state, { port: (server.address() as AddressInfo).port })
}

function serve(repository: string, request: IncomingMessage, response: ServerResponse, state: HttpGit): void {
  const url = new URL(request.url ?? '/', 'http://x')
  const isPush = url.pathname.endsWith('/git-receive-pack') && request.method === 'POST'
  if (isPush) state.beforePush?.()
  const backend = spawn(path.join(execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim(), 'git-http-backend'), {
    env: {
      ...process.env,
      GIT_PROJECT_ROOT: path.dirname(repository),
      GIT_HTTP_EXPORT_ALL: '1',
      REMOTE_USER: 'tester',
      REQUEST_METHOD: request.method,
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: request.headers['content-type'],
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] as string | undefined,
      GIT_PROTOCOL: request.headers['git-protocol'] as string | undefined,
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  request.pipe(backend.stdin)
  const chunks: Buffer[] = []
  backend.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  backend.on('close', () => {
    if (isPush && state.cutNextPush) {
      state.cutNextPush = false
      return request.socket.destroy()
    }
    const answer = Buffer.concat(chunks)
    const end = answer.indexOf('\r\n\r\n')
    const headers = answer.subarray(0, end).toString('latin1').split('\r\n').map((line) => line.split(': ') as [string, string])
    const status = headers.find(([name]) => name === 'Status')?.[1] ?? '200'
    response.writeHead(Number.parseInt(status), Object.fromEntries(headers.filter(([name]) => name !== 'Status')))
    return response.end(answer.subarray(end + 4))
  })
}
