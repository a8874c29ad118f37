/** Which phexts an SQ has whose files are not on this machine: asked of the controller, which can look into its container. */
import { request } from 'node:http'

export type PhextsAsked =
  | { readonly kind: 'listed'; readonly names: readonly string[] }
  /** It is no instance that can be listed. */
  | { readonly kind: 'unlisted' }
  /** The controller is away, or could not look now. */
  | { readonly kind: 'away' }

const ANSWER_TIMEOUT_MS = 40_000

export function askPhexts(socketPath: string, tenant: string): Promise<PhextsAsked> {
  return new Promise((resolve) => {
    const away = (): void => resolve({ kind: 'away' })
    const asked = request({ socketPath, path: `/internal/phexts/${encodeURIComponent(tenant)}`, headers: { Host: 'controller' }, agent: false, timeout: ANSWER_TIMEOUT_MS }, (answer) => {
      const pieces: Buffer[] = []
      answer.on('data', (piece: Buffer) => void pieces.push(piece))
      answer.on('error', away).on('end', () => resolve(answerOf(answer.statusCode!, Buffer.concat(pieces).toString())))
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer in time')))
    asked.on('error', away)
    asked.end()
  })
}

function answerOf(status: number, body: string): PhextsAsked {
  if (status === 404) return { kind: 'unlisted' }
  if (status !== 200) return { kind: 'away' }
  return { kind: 'listed', names: (JSON.parse(body) as { readonly phexts: readonly string[] }).phexts }
}
