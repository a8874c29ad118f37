/** Somebody else's accounts, on this machine: a real OpenID provider, and GitHub's three calls as it documents them. Everybody who comes is signed in there at once. */
import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import OidcProvider from 'oidc-provider'
import { onTestFinished } from 'vitest'

export const CLIENT = { clientId: 'tenantry', clientSecret: 'a secret of the client' }

export interface Person {
  email: string
  verified: boolean
}

export interface IdentityProvider {
  readonly url: string
  /** Who sits before the browser. */
  readonly person: Person
  /** Goes where the browser is sent, and answers where it comes back to. */
  visit(to: string): Promise<URL>
}

export async function startOidc(redirectUri: string): Promise<IdentityProvider> {
  const person: Person = { email: 'ada@example.com', verified: true }
  const { server, url } = await listen()
  const provider = new OidcProvider(url, {
    clients: [{ client_id: CLIENT.clientId, client_secret: CLIENT.clientSecret, token_endpoint_auth_method: 'client_secret_post', redirect_uris: [redirectUri], grant_types: ['authorization_code'], response_types: ['code'] }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    findAccount: async (_context: unknown, id: string) => ({ accountId: id, claims: async () => ({ sub: id, email: person.email, email_verified: person.verified }) }),
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    pkce: { required: () => true },
    cookies: { keys: ['of a test'] },
    ttl: { Session: 600, Interaction: 600, Grant: 600, IdToken: 600, AccessToken: 600 },
  })
  const answer = provider.callback()
  async function interact(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { prompt, params, session } = await provider.interactionDetails(request, response)
    if (prompt.name === 'login') return provider.interactionFinished(request, response, { login: { accountId: 'account-1' } }, { mergeWithLastSubmission: false })
    const grant = new provider.Grant({ accountId: session!.accountId, clientId: params.client_id })
    grant.addOIDCScope('openid email')
    return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true })
  }
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (request.url!.startsWith('/interaction/')) interact(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)))
    else answer(request, response)
  })
  return { url, person, visit: (to) => follow(to, url) }
}

/** https://docs.github.com/apps/oauth-apps: authorize, access_token (which says what is wrong with status 200), /user/emails. */
export async function startGithub(): Promise<IdentityProvider> {
  const person: Person = { email: 'ada@example.com', verified: true }
  const codes = new Map<string, { readonly challenge: string; readonly redirectUri: string }>()
  const tokens = new Set<string>()
  const { server, url } = await listen()
  const json = (response: ServerResponse, status: number, body: unknown): void => void response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body))

  function authorize({ searchParams: asked }: URL, response: ServerResponse): void {
    const code = randomBytes(10).toString('hex')
    codes.set(code, { challenge: asked.get('code_challenge')!, redirectUri: asked.get('redirect_uri')! })
    const back = new URL(asked.get('redirect_uri')!)
    back.search = new URLSearchParams({ code, state: asked.get('state')! }).toString()
    response.writeHead(302, { location: back.href }).end()
  }

  async function exchange(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = new URLSearchParams(Buffer.concat(await request.toArray()).toString())
    const begun = codes.get(form.get('code') ?? '')
    codes.delete(form.get('code') ?? '')
    const challenge = createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url')
    if (form.get('client_id') !== CLIENT.clientId || form.get('client_secret') !== CLIENT.clientSecret) return json(response, 200, { error: 'incorrect_client_credentials', error_description: 'The client_id and/or client_secret passed are incorrect.' })
    if (begun === undefined || begun.challenge !== challenge || begun.redirectUri !== form.get('redirect_uri')) return json(response, 200, { error: 'bad_verification_code', error_description: 'The code passed is incorrect or expired.' })
    const token = `gho_${randomBytes(18).toString('hex')}`
    tokens.add(token)
    json(response, 200, { access_token: token, scope: 'user:email', token_type: 'bearer' })
  }

  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const target = new URL(request.url!, url)
    if (target.pathname === '/login/oauth/authorize') return authorize(target, response)
    if (target.pathname === '/login/oauth/access_token' && request.method === 'POST') return void exchange(request, response)
    const token = /^bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1]
    if (target.pathname !== '/user/emails' || request.headers['user-agent'] === undefined) return json(response, 404, { message: 'Not Found' })
    if (token === undefined || !tokens.has(token)) return json(response, 401, { message: 'Bad credentials' })
    json(response, 200, [
      { email: 'old@example.com', primary: false, verified: true, visibility: null },
      { email: person.email, primary: true, verified: person.verified, visibility: 'private' },
    ])
  })
  return { url, person, visit: (to) => follow(to, url) }
}

async function listen(): Promise<{ server: Server; url: string }> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

/** A browser that keeps cookies, as far as the provider sends it on. */
async function follow(to: string, provider: string): Promise<URL> {
  const cookies = new Map<string, string>()
  let at = new URL(to)
  for (let steps = 0; at.origin === provider; steps++) {
    if (steps === 10) throw new Error(`the provider sends the browser round in circles, last to ${at.pathname}`)
    const answer = await fetch(at, { redirect: 'manual', headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') } })
    for (const set of answer.headers.getSetCookie()) cookies.set(set.split('=')[0]!, set.split(';')[0]!.slice(set.indexOf('=') + 1))
    const location = answer.headers.get('location')
    if (location === null) throw new Error(`the provider answered ${answer.status}: ${(await answer.text()).slice(0, 500)}`)
    at = new URL(location, at)
  }
  return at
}
