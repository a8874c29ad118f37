/** The connection to Stripe, or to a double of it. Pins the API version, so that answers keep their shape whatever the account's default is. */
import Stripe from 'stripe'

/** The version whose shapes the types of the `stripe` package describe; webhook endpoints are made with it too. */
export const STRIPE_API_VERSION = '2026-10-28.endive'

/** Well under the package's 80 s: a purchase that waits is tried again anyway. */
const TIMEOUT_MS = 10_000
const NETWORK_RETRIES = 2

export interface StripeClientOptions {
  readonly secretKey: string
  /** `http://127.0.0.1:12111`: where a double listens; absent: Stripe itself. */
  readonly apiBase?: string
  /** Another way to the network; Node's own where absent. */
  readonly httpClient?: Stripe.HttpClient
  /** How often a request that got no answer is sent again by itself. */
  readonly networkRetries?: number
}

export function createStripeClient({ secretKey, apiBase, httpClient, networkRetries = NETWORK_RETRIES }: StripeClientOptions): Stripe {
  return new Stripe(secretKey, {
    apiVersion: STRIPE_API_VERSION,
    timeout: TIMEOUT_MS,
    maxNetworkRetries: networkRetries,
    telemetry: false,
    ...(httpClient === undefined ? {} : { httpClient }),
    ...(apiBase === undefined ? {} : parseApiBase(apiBase)),
  })
}

/** @throws where the text is not the address of a server. */
export function parseApiBase(apiBase: string): { readonly protocol: 'http' | 'https'; readonly host: string; readonly port: string } {
  const url = URL.canParse(apiBase) ? new URL(apiBase) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search !== '' || url.username !== '') {
    throw new Error(`STRIPE_API_BASE is not the address of a server: "${apiBase}". Write protocol, host and port only, such as http://127.0.0.1:12111.`)
  }
  const protocol = url.protocol === 'http:' ? 'http' : 'https'
  return { protocol, host: url.hostname, port: url.port || (protocol === 'http' ? '80' : '443') }
}
