/** One request to an SQ on this machine. SQ answers one request a connection and closes it. */
import { request } from 'node:http'

export interface SqAnswer {
  readonly status: number
  readonly body: string
}

export interface SqQuestion {
  readonly port: number
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly key?: string
  readonly timeoutMs: number
}

/** Rejects where nothing answers in time. */
export function askSq({ port, method, path, key, timeoutMs }: SqQuestion): Promise<SqAnswer> {
  return new Promise((resolve, reject) => {
    const headers: Record<string, string | number> = { 'content-length': 0, ...(key !== undefined && { authorization: `Bearer ${key}` }) }
    const asked = request({ host: '127.0.0.1', port, method, path, headers, agent: false, timeout: timeoutMs }, (answer) => {
      const parts: Buffer[] = []
      answer.on('data', (part: Buffer) => parts.push(part))
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts).toString() }))
      answer.on('error', reject)
    })
    asked.on('timeout', () => asked.destroy(new Error(`SQ on port ${port} did not answer within ${timeoutMs} ms`)))
    asked.on('error', reject)
    asked.end()
  })
}
