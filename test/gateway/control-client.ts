/** Asks a gateway over its control socket. */
import { request } from 'node:http'
import { controlSocketPath } from '../../controller/gateway/sockets.ts'

export function controlGet(home: string, path: string, method = 'GET'): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath: controlSocketPath(home), path, method, agent: false }, (answer) => {
      let body = ''
      answer.setEncoding('utf8').on('data', (text: string) => (body += text))
      answer.on('end', () => resolve({ status: answer.statusCode!, body }))
    })
    outgoing.on('error', reject).end()
  })
}
