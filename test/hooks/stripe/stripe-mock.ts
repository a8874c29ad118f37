/** The official stripe-mock on a free port of 127.0.0.1, for checking the form of requests. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { STRIPE_API_VERSION } from '../../../hooks/stripe/client.ts'
import { findProgram } from '../../support/parts.ts'
import { waitFor } from '../../support/wait.ts'

export async function startStripeMock(): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> {
  const child = spawn(findProgram('stripe-mock')!, ['-http-addr', '127.0.0.1:0', '-https-addr', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'ignore'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  const address = await waitFor(() => /HTTP at address: (127\.0\.0\.1:\d+)/.exec(output)?.[1], 'stripe-mock to listen')
  return {
    url: `http://${address}`,
    async stop() {
      child.kill()
      await once(child, 'exit')
    },
  }
}

export interface RecordedRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string
}

/** stripe-mock is older than the pinned version, whose name it does not know. */
const KNOWN_VERSION = '2025-03-31.basil'

/** Which of the requests the real interface would refuse for their form, and why. */
export async function refusedByStripeMock(url: string, requests: readonly RecordedRequest[]): Promise<string[]> {
  const refused = new Set<string>()
  for (const { method, path, headers, body } of requests) {
    const sent = Object.fromEntries(['content-type', 'stripe-version'].flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])))
    const answer = await fetch(`${url}${path}`, { method, headers: { ...sent, authorization: 'Bearer sk_test_123' }, ...(body !== '' && method !== 'GET' && { body: body.replace(STRIPE_API_VERSION, KNOWN_VERSION) }) })
    const text = await answer.text()
    if (!answer.ok) refused.add(`${method} ${path}: ${(JSON.parse(text) as { error: { message: string } }).error.message}`)
  }
  return [...refused]
}
