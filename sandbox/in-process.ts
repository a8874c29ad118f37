/** The `stripe` package's way to the network, without a network: requests go to a function. */
import type Stripe from 'stripe'
import type { ApiAnswer, ApiRequest } from './api.ts'

export function createHttpClient(handle: (request: ApiRequest) => ApiAnswer | Promise<ApiAnswer>): Stripe.HttpClient {
  return {
    getClientName: () => 'in-process',
    async makeRequest(_host, _port, path, method, headers, body) {
      const answer = await handle({ method, path, headers: lowerCase(headers), body: body ?? '' })
      return {
        getStatusCode: () => answer.status,
        getHeaders: () => answer.headers,
        getRawResponse: () => answer,
        toStream: () => {
          throw new Error('nothing is streamed in-process')
        },
        toJSON: async () => JSON.parse(answer.body) as unknown,
      }
    },
  }
}

function lowerCase(headers: object): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name.toLowerCase(), String(value)]])))
}
