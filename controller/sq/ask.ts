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

/** More than any answer that is of interest: what answers may be a customer's own program. */
const LONGEST_ANSWER = 64 * 1024

/** Rejects where there is no whole answer in time, however steadily it trickles, or where it is too long. */
export function askSq({ port, method, path, key, timeoutMs }: SqQuestion): Promise<SqAnswer> {
  return new Promise((resolve, reject) => {
    const headers: Record<string, string | number> = { 'content-length': 0, ...(key !== undefined && { authorization: `Bearer ${key}` }) }
    const asked = request({ host: '127.0.0.1', port, method, path, headers, agent: false, signal: AbortSignal.timeout(timeoutMs) }, (answer) => {
      const parts: Buffer[] = []
      let bytes = 0
      answer.on('data', (part: Buffer) => {
        parts.push(part)
        bytes += part.length
        if (bytes > LONGEST_ANSWER) asked.destroy(new Error(`port ${port} answers with more than ${LONGEST_ANSWER} bytes`))
      })
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts).toString() }))
      answer.on('error', reject)
    })
    asked.on('error', (error) => reject(error.name === 'TimeoutError' || error.name === 'AbortError' ? new Error(`port ${port} did not answer within ${timeoutMs} ms`) : error))
    asked.end()
  })
}
