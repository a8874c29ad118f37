/** Accounts elsewhere with which people sign in here: OpenID Connect (Google, or any issuer) and GitHub, which has a way of its own. Only an address that the provider vouches for counts. */
import * as client from 'openid-client'

export type ProviderSettings =
  | { readonly kind: 'oidc'; readonly id: string; readonly name: string; readonly issuer: string; readonly clientId: string; readonly clientSecret: string }
  | { readonly kind: 'github'; readonly id: string; readonly name: string; readonly clientId: string; readonly clientSecret: string; readonly web: string; readonly api: string }

export interface Attempt {
  readonly state: string
  readonly nonce: string
  readonly verifier: string
}

export interface Provider {
  readonly id: string
  readonly name: string
  /** Where the browser is sent. Rejects where the provider cannot be asked. */
  start(attempt: Attempt, redirectUri: string): Promise<URL>
  /** The proved address of whoever came back; undefined where the provider vouches for none. Rejects where the answer is not to this attempt. */
  finish(attempt: Attempt, cameBack: URL): Promise<string | undefined>
}

export const newAttempt = (): Attempt => ({ state: client.randomState(), nonce: client.randomNonce(), verifier: client.randomPKCECodeVerifier() })

const TIMEOUT_S = 10

export function createProvider(settings: ProviderSettings): Provider {
  return settings.kind === 'oidc' ? createOidc(settings) : createGithub(settings)
}

function createOidc({ id, name, issuer, clientId, clientSecret }: Extract<ProviderSettings, { kind: 'oidc' }>): Provider {
  let known: Promise<client.Configuration> | undefined
  /** Asked for at the first sign-in, and again where that failed. */
  function configuration(): Promise<client.Configuration> {
    known ??= client.discovery(new URL(issuer), clientId, clientSecret, undefined, { timeout: TIMEOUT_S, ...insecure(issuer) }).catch((error: unknown) => {
      known = undefined
      throw error
    })
    return known
  }
  return {
    id,
    name,
    start: async (attempt, redirectUri) => authorizationUrl(await configuration(), attempt, redirectUri, { scope: 'openid email', nonce: attempt.nonce }),
    async finish({ state, nonce, verifier }, cameBack) {
      const config = await configuration()
      const tokens = await client.authorizationCodeGrant(config, cameBack, { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true })
      const claims = tokens.claims()!
      const said = claims['email'] === undefined ? await client.fetchUserInfo(config, tokens.access_token, claims.sub) : claims
      return said['email_verified'] === true && typeof said['email'] === 'string' ? said['email'] : undefined
    },
  }
}

interface GithubEmail {
  readonly email: string
  readonly primary: boolean
  readonly verified: boolean
}

function createGithub({ id, name, clientId, clientSecret, web, api }: Extract<ProviderSettings, { kind: 'github' }>): Provider {
  const server = { issuer: web, authorization_endpoint: `${web}/login/oauth/authorize`, token_endpoint: `${web}/login/oauth/access_token` }
  const config = new client.Configuration(server, clientId, clientSecret)
  config.timeout = TIMEOUT_S
  for (const execute of insecure(web).execute ?? []) execute(config)
  return {
    id,
    name,
    start: (attempt, redirectUri) => authorizationUrl(config, attempt, redirectUri, { scope: 'user:email' }),
    async finish({ state, verifier }, cameBack) {
      const tokens = await client.authorizationCodeGrant(config, cameBack, { expectedState: state, pkceCodeVerifier: verifier })
      const headers = new Headers({ accept: 'application/vnd.github+json', 'user-agent': 'tenantry' })
      const answer = await client.fetchProtectedResource(config, tokens.access_token, new URL(`${api}/user/emails`), 'GET', null, headers)
      if (!answer.ok) throw new Error(`GitHub answered ${answer.status} when it was asked for addresses`)
      const emails = (await answer.json()) as readonly GithubEmail[]
      return emails.find(({ primary, verified }) => primary && verified)?.email
    },
  }
}

async function authorizationUrl(config: client.Configuration, { state, verifier }: Attempt, redirectUri: string, more: Record<string, string>): Promise<URL> {
  const challenge = await client.calculatePKCECodeChallenge(verifier)
  return client.buildAuthorizationUrl(config, { redirect_uri: redirectUri, state, code_challenge: challenge, code_challenge_method: 'S256', ...more })
}

/** Plain http is for this machine alone, as settings.ts sees to. */
function insecure(address: string): { execute?: ((config: client.Configuration) => void)[] } {
  return address.startsWith('http:') ? { execute: [client.allowInsecureRequests] } : {}
}
