/**
 * All settings: read once from the environment (and `.env`), checked together so that every problem is reported at once, frozen,
 * and handed on in slices. Secrets may come as NAME_FILE. No message quotes a secret.
 */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parseEnv } from 'node:util'
import type { ProviderSettings } from './accounts/providers.ts'
import { createClientAddress } from './gateway/client-address.ts'
import { parseMasterKey, type MasterSecret } from './keyring.ts'

export interface Settings {
  readonly home: string
  /** Path of a bare repository, or URL. */
  readonly repository: string
  readonly branch: string
  readonly masterKey: readonly MasterSecret[] | undefined
  readonly host: string
  readonly port: number
  /** Threads of the gateway; undefined: as many as there are cores, at most eight. */
  readonly gatewayWorkers: number | undefined
  /** Memory of the gateway for answers to reads, all workers together; 0 keeps none. */
  readonly readCacheMb: number
  /** Addresses and networks of reverse proxies before the gateway, with commas between. */
  readonly trustedProxies: string
  readonly adminPort: number
  readonly publicUrl: string | undefined
  readonly adminToken: string | undefined
  readonly stripe: StripeSettings
  /** Other ways to sign in. */
  readonly providers: readonly ProviderSettings[]
  readonly mail: MailSettings
  /** `bundled`, a path, or undefined: `sq` on the PATH, else the bundled one. */
  readonly sqBin: string | undefined
  readonly dockerHost: string | undefined
  readonly logLevel: LogLevel
  readonly resyncMs: number
}

/** `webhookSecret` undefined: only for a command that makes the webhook endpoint, whose secret is known afterwards. */
export type StripeSettings = { readonly kind: 'sandbox' } | { readonly kind: 'account'; readonly secretKey: string; readonly webhookSecret: string | undefined; readonly apiBase: string | undefined }

/** `files`: under HOME, for a look at them; nothing is sent. `from`: as in a mail's head, `Name <address>` or an address; absent: made of the platform's domain. */
export type MailSettings = { readonly kind: 'files'; readonly from: string | undefined } | { readonly kind: 'smtp'; readonly url: string; readonly from: string }

const DEFAULT_READ_CACHE_MB = 64

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export type Environment = Readonly<Record<string, string | undefined>>

/** Thrown with every problem of the settings, one a line. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
}

/** The environment with the folder's `.env` under it. */
export function withDotEnv(environment: Environment, folder: string): Environment {
  const file = path.join(folder, '.env')
  return existsSync(file) ? { ...parseEnv(readFileSync(file, 'utf8')), ...environment } : environment
}

/** Where `billing sync` keeps the secret of the webhook endpoint that it makes. */
export function webhookSecretFile(home: string): string {
  return path.join(home, 'stripe-webhook-secret')
}

export interface ReadSettingsOptions {
  /** The webhook secret may be missing. */
  readonly withoutWebhookSecret?: boolean
}

export function readSettings(environment: Environment, folder: string, options: ReadSettingsOptions = {}): Settings {
  const problems: string[] = []
  const read = createReader(environment, folder, problems)
  const home = path.resolve(folder, read.text('TENANTRY_HOME') ?? './data')
  const settings: Settings = {
    home,
    repository: read.location('TENANTRY_REPOSITORY') ?? path.join(home, 'tenants.git'),
    branch: read.matching('TENANTRY_BRANCH', /^(?!-)[\w./-]{1,100}$/, 'the name of a branch') ?? 'main',
    masterKey: read.parsed('TENANTRY_MASTER_KEY', parseMasterKey),
    host: read.text('HOST') ?? '127.0.0.1',
    port: read.port('PORT') ?? 8080,
    trustedProxies: read.parsed('TRUSTED_PROXIES', parseProxies) ?? '',
    readCacheMb: read.count('READ_CACHE_MB', 0, 65_536) ?? DEFAULT_READ_CACHE_MB,
    gatewayWorkers: read.count('GATEWAY_WORKERS', 1, 64),
    adminPort: read.port('ADMIN_PORT') ?? 9090,
    publicUrl: read.url('PUBLIC_URL')?.replace(/\/+$/, ''),
    adminToken: read.secret('ADMIN_TOKEN', 16),
    stripe: readStripe(read, problems, home, options),
    providers: readProviders(read, problems),
    mail: readMail(read, problems),
    sqBin: read.text('SQ_BIN'),
    dockerHost: read.matching('DOCKER_HOST', /^(unix|tcp|http|https|npipe):\/\//, 'unix:///var/run/docker.sock or tcp://HOST:PORT'),
    logLevel: read.oneOf('LOG_LEVEL', LOG_LEVELS) ?? 'info',
    resyncMs: (read.count('TENANTRY_RESYNC_SECONDS', 1, 3600) ?? 15) * 1000,
  }
  if (problems.length > 0) throw new SettingsError(`The settings cannot be used:\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
  return Object.freeze(settings)
}

function parseProxies(text: string): string {
  const proxies = text.split(',').map((each) => each.trim()).filter((each) => each !== '')
  createClientAddress(proxies)
  return proxies.join(',')
}

/** A live account without a webhook secret would take unsigned payments: refused, never assumed. */
function readStripe(read: Reader, problems: string[], home: string, { withoutWebhookSecret = false }: ReadSettingsOptions): StripeSettings {
  const secretKey = read.secret('STRIPE_SECRET_KEY', 8)
  const given = read.secret('STRIPE_WEBHOOK_SECRET', 8)
  const apiBase = read.url('STRIPE_API_BASE')
  if (secretKey === undefined) {
    if (given !== undefined) problems.push('STRIPE_WEBHOOK_SECRET is set, but STRIPE_SECRET_KEY is not. Set both for a real account, or none for the sandbox.')
    return { kind: 'sandbox' }
  }
  const webhookSecret = given ?? keptWebhookSecret(home)
  if (webhookSecret === undefined && !withoutWebhookSecret) {
    problems.push(
      'STRIPE_SECRET_KEY is set, but STRIPE_WEBHOOK_SECRET is empty: unsigned payments would be taken. Set it to the signing secret of the webhook endpoint (whsec_…), or let `tenantry billing sync --apply` make the endpoint.',
    )
    return { kind: 'sandbox' }
  }
  return { kind: 'account', secretKey, webhookSecret, apiBase }
}

function keptWebhookSecret(home: string): string | undefined {
  const file = webhookSecretFile(home)
  return existsSync(file) ? readFileSync(file, 'utf8').trim() || undefined : undefined
}

const SENDER = /^(?:[^<>"\r\n\0]{0,100}<([^<>@\s"]{1,64}@[^<>@\s"]{1,190})>|[^<>@\s"]{1,64}@[^<>@\s"]{1,190})$/

/** The address holds a password, so no message quotes it. */
function readMail(read: Reader, problems: string[]): MailSettings {
  const from = read.matching('MAIL_FROM', SENDER, 'an address, or Name <address>')
  const url = read.parsed('SMTP_URL', parseSmtpUrl)
  if (url === undefined) return { kind: 'files', from }
  if (from === undefined) {
    problems.push('SMTP_URL is set, but MAIL_FROM is empty: mail needs a sender. Set it to an address that your mail server sends for, such as Tenantry <hello@example.com>.')
    return { kind: 'files', from }
  }
  return { kind: 'smtp', url, from }
}

function parseSmtpUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^smtps?:$/.test(url.protocol) || url.hostname === '') throw new Error('it is not the address of a mail server. Write smtp://USER:PASSWORD@HOST:587, or smtps://…:465, with special characters of the password as %XX')
  if ((url.username === '') !== (url.password === '')) throw new Error('it has a user without a password, or a password without a user. Give both, or none')
  return text
}

/** A provider whose settings are half there is said, never left out in silence. */
function readProviders(read: Reader, problems: string[]): ProviderSettings[] {
  function client(prefix: string): { clientId: string; clientSecret: string } | undefined {
    const [clientId, clientSecret] = [read.text(`${prefix}_CLIENT_ID`), read.secret(`${prefix}_CLIENT_SECRET`, 8)]
    if (clientId !== undefined && clientSecret !== undefined) return { clientId, clientSecret }
    if (clientId !== undefined || clientSecret !== undefined) problems.push(`${prefix}_CLIENT_ID and ${prefix}_CLIENT_SECRET belong together. Set both, or none.`)
    return undefined
  }
  const google = client('OAUTH_GOOGLE')
  const github = client('OAUTH_GITHUB')
  const oidc = client('OAUTH_OIDC')
  const issuer = read.matching('OAUTH_OIDC_ISSUER', ISSUER, 'the https address of an issuer (http for this machine alone)')
  const name = read.text('OAUTH_OIDC_NAME') ?? 'single sign-on'
  if ((oidc === undefined) !== (issuer === undefined)) problems.push('OAUTH_OIDC_ISSUER, OAUTH_OIDC_CLIENT_ID and OAUTH_OIDC_CLIENT_SECRET belong together. Set all of them, or none.')
  return [
    ...(google ? [{ kind: 'oidc' as const, id: 'google', name: 'Google', issuer: 'https://accounts.google.com', ...google }] : []),
    ...(github ? [{ kind: 'github' as const, id: 'github', name: 'GitHub', web: 'https://github.com', api: 'https://api.github.com', ...github }] : []),
    ...(oidc && issuer !== undefined ? [{ kind: 'oidc' as const, id: 'oidc', name, issuer, ...oidc }] : []),
  ]
}

const ISSUER = /^(?:https:\/\/[^\s/]+|http:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?(?:\/|$))/

type Reader = ReturnType<typeof createReader>

function createReader(environment: Environment, folder: string, problems: string[]) {
  /** The value of NAME, or of the file that NAME_FILE names. Empty counts as not set. */
  function text(name: string): string | undefined {
    const direct = environment[name]?.trim()
    const file = environment[`${name}_FILE`]?.trim()
    if (direct && file) problems.push(`${name} and ${name}_FILE are both set. Set one.`)
    if (direct || !file) return direct || undefined
    try {
      return readFileSync(path.resolve(folder, file), 'utf8').trim() || undefined
    } catch {
      // Its value is not said: a secret is easily set here instead of the path of its file.
      problems.push(`${name}_FILE does not name a file that can be read. Give the path of a file that holds the value.`)
      return undefined
    }
  }
  function parsed<T>(name: string, parse: (value: string) => T): T | undefined {
    const value = text(name)
    if (value === undefined) return undefined
    try {
      return parse(value)
    } catch (error) {
      problems.push(`${name}: ${(error as Error).message}.`)
      return undefined
    }
  }
  const check = <T>(name: string, test: (value: string) => T | undefined, expected: string): T | undefined =>
    parsed(name, (value) => {
      const result = test(value)
      if (result === undefined) throw new Error(`expected ${expected}, not "${value.slice(0, 60)}"`)
      return result
    })
  const count = (name: string, least: number, most: number): number | undefined =>
    check(name, (value) => (/^\d{1,9}$/.test(value) && Number(value) >= least && Number(value) <= most ? Number(value) : undefined), `a whole number from ${least} to ${most}`)
  return {
    text,
    parsed,
    count,
    port: (name: string) => count(name, 0, 65535),
    matching: (name: string, pattern: RegExp, expected: string) => check(name, (value) => (pattern.test(value) ? value : undefined), expected),
    oneOf: <const T extends string>(name: string, values: readonly T[]) => check(name, (value) => values.find((each) => each === value), values.join(', ')),
    url: (name: string) => check(name, (value) => (/^https?:\/\/[^\s/]+/.test(value) ? value : undefined), 'an http or https URL'),
    secret: (name: string, least: number) =>
      parsed(name, (value) => {
        if (value.length < least) throw new Error(`is shorter than ${least} characters`)
        return value
      }),
    location(name: string) {
      const value = text(name)
      if (value === undefined || /^[a-z+]+:\/\//i.test(value) || /^[\w.-]+@[\w.-]+:/.test(value)) return value
      return path.resolve(folder, value)
    },
  }
}
