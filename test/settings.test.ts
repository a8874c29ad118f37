import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { readSettings, SettingsError, withDotEnv, type Environment } from '../controller/settings.ts'
import { tempFolder } from './support/temp.ts'

const MASTER = `1:${'ab'.repeat(32)}`

function problemsOf(environment: Environment, folder = '/srv'): string[] {
  try {
    readSettings(environment, folder)
  } catch (error) {
    expect(error).toBeInstanceOf(SettingsError)
    return (error as Error).message.split('\n').slice(1).map((line) => line.trim())
  }
  return []
}

describe('settings', () => {
  test('have a default each, and are frozen', () => {
    const settings = readSettings({}, '/srv')
    expect(settings).toMatchObject({ home: '/srv/data', repository: '/srv/data/tenants.git', branch: 'main', masterKey: undefined, host: '127.0.0.1', port: 8080, adminPort: 9090, publicUrl: undefined, stripe: { kind: 'sandbox' }, sqBin: undefined, logLevel: 'info', resyncMs: 15_000, readCacheMb: 64 })
    expect(Object.isFrozen(settings)).toBe(true)
  })

  test('are read as they are meant', () => {
    const settings = readSettings({ TENANTRY_HOME: 'h', TENANTRY_REPOSITORY: 'r.git', PORT: '0', ADMIN_PORT: ' 65535 ', PUBLIC_URL: 'https://example.com//', TENANTRY_MASTER_KEY: MASTER, TENANTRY_RESYNC_SECONDS: '2', SQ_BIN: 'bundled', READ_CACHE_MB: '0' }, '/srv')
    expect(settings.readCacheMb).toBe(0)
    expect(settings).toMatchObject({ home: '/srv/h', repository: '/srv/r.git', port: 0, adminPort: 65535, publicUrl: 'https://example.com', masterKey: [{ version: 1 }], resyncMs: 2_000, sqBin: 'bundled' })
  })

  test.each(['https://git.example.com/tenants.git', 'ssh://git@example.com/t.git', 'git@example.com:t.git', 'file:///srv/t.git'])('a repository elsewhere stays as it is written: %s', (location) => {
    expect(readSettings({ TENANTRY_REPOSITORY: location }, '/srv').repository).toBe(location)
  })

  test('an empty value is none', () => {
    expect(readSettings({ PORT: '', TENANTRY_HOME: ' ', TENANTRY_MASTER_KEY: '' }, '/srv')).toMatchObject({ port: 8080, home: '/srv/data', masterKey: undefined })
  })

  test('are all checked before anything is said', () => {
    const problems = problemsOf({ PORT: '65536', ADMIN_PORT: '-1', LOG_LEVEL: 'loud', PUBLIC_URL: 'example.com', TENANTRY_BRANCH: '--upload-pack=x', DOCKER_HOST: '/var/run/docker.sock', READ_CACHE_MB: 'much', TRUSTED_PROXIES: '10.0.0.0/33', TENANTRY_RESYNC_SECONDS: '0', ADMIN_TOKEN: 'short', TENANTRY_MASTER_KEY: 'x' })
    expect(problems.map((line) => line.split(':')[0]).sort()).toEqual(['ADMIN_PORT', 'ADMIN_TOKEN', 'DOCKER_HOST', 'LOG_LEVEL', 'PORT', 'PUBLIC_URL', 'READ_CACHE_MB', 'TENANTRY_BRANCH', 'TENANTRY_MASTER_KEY', 'TENANTRY_RESYNC_SECONDS', 'TRUSTED_PROXIES'])
    expect(problems).toContain('PORT: expected a whole number from 0 to 65535, not "65536".')
  })

  test('may come from a file each; naming none, or both, is said', () => {
    const folder = tempFolder('settings')
    writeFileSync(path.join(folder, 'token'), 'a long enough token\n')
    expect(readSettings({ ADMIN_TOKEN_FILE: 'token' }, folder).adminToken).toBe('a long enough token')
    expect(problemsOf({ ADMIN_TOKEN_FILE: 'nowhere' }, folder)).toEqual([expect.stringMatching(/^ADMIN_TOKEN_FILE does not name a file/)])
    expect(problemsOf({ ADMIN_TOKEN_FILE: 'token', ADMIN_TOKEN: 'a long enough token' }, folder)).toEqual(['ADMIN_TOKEN and ADMIN_TOKEN_FILE are both set. Set one.'])
  })

  test('a .env gives what the environment does not', () => {
    const folder = tempFolder('settings')
    writeFileSync(path.join(folder, '.env'), 'PORT=1\nADMIN_PORT=2\n')
    expect(readSettings(withDotEnv({ PORT: '3' }, folder), folder)).toMatchObject({ port: 3, adminPort: 2 })
  })
})

describe('a Stripe account', () => {
  const SECRET = 'sk_live_51Secret'

  test('needs its webhook secret: without one unsigned payments would be taken', () => {
    expect(readSettings({ STRIPE_SECRET_KEY: SECRET, STRIPE_WEBHOOK_SECRET: 'whsec_12345678' }, '/srv').stripe).toEqual({ kind: 'account', secretKey: SECRET, webhookSecret: 'whsec_12345678', apiBase: undefined })
    for (const empty of [undefined, '', '  ']) expect(problemsOf({ STRIPE_SECRET_KEY: SECRET, STRIPE_WEBHOOK_SECRET: empty })).toEqual([expect.stringMatching(/^STRIPE_SECRET_KEY is set, but STRIPE_WEBHOOK_SECRET is empty/)])
    expect(problemsOf({ STRIPE_WEBHOOK_SECRET: 'whsec_12345678' })).toEqual([expect.stringMatching(/^STRIPE_WEBHOOK_SECRET is set, but STRIPE_SECRET_KEY is not/)])
  })
})

test.each<[string, Environment]>([
  ['too short', { ADMIN_TOKEN: 'S3CRET', STRIPE_SECRET_KEY: 'S3CRET', STRIPE_WEBHOOK_SECRET: 'S3CRET', TENANTRY_MASTER_KEY: '1:S3CRET' }],
  ['a second version wrong', { TENANTRY_MASTER_KEY: `${MASTER},2:S3CRET` }],
  ['a version twice', { TENANTRY_MASTER_KEY: `${MASTER} ${MASTER}` }],
  ['put where the path of a file belongs', { STRIPE_SECRET_KEY_FILE: 'S3CRET', TENANTRY_MASTER_KEY_FILE: 'S3CRET' }],
])('no problem quotes a secret: %s', (_name, environment) => {
  const problems = problemsOf(environment).join('\n')
  expect(problems).not.toBe('')
  expect(problems).not.toMatch(/S3CRET|abab/)
})

describe('ways to sign in through others', () => {
  const secret = 'a secret of the client'

  test('are those whose settings are there, secrets also from files', () => {
    const folder = tempFolder('settings')
    writeFileSync(path.join(folder, 'github'), `${secret}\n`)
    const { providers } = readSettings({ OAUTH_GOOGLE_CLIENT_ID: 'g', OAUTH_GOOGLE_CLIENT_SECRET: secret, OAUTH_GITHUB_CLIENT_ID: 'h', OAUTH_GITHUB_CLIENT_SECRET_FILE: 'github', OAUTH_OIDC_ISSUER: 'https://id.example.com', OAUTH_OIDC_CLIENT_ID: 'o', OAUTH_OIDC_CLIENT_SECRET: secret, OAUTH_OIDC_NAME: 'Example' }, folder)
    expect(providers).toMatchObject([{ id: 'google', issuer: 'https://accounts.google.com' }, { id: 'github', clientId: 'h', clientSecret: secret }, { id: 'oidc', name: 'Example', issuer: 'https://id.example.com' }])
    expect(readSettings({}, '/srv').providers).toEqual([])
  })

  test.each([
    [{ OAUTH_GOOGLE_CLIENT_ID: 'g' }, 'OAUTH_GOOGLE_CLIENT_SECRET'],
    [{ OAUTH_GITHUB_CLIENT_SECRET: secret }, 'OAUTH_GITHUB_CLIENT_ID'],
    [{ OAUTH_OIDC_CLIENT_ID: 'o', OAUTH_OIDC_CLIENT_SECRET: secret }, 'OAUTH_OIDC_ISSUER'],
    [{ OAUTH_OIDC_ISSUER: 'http://id.example.com', OAUTH_OIDC_CLIENT_ID: 'o', OAUTH_OIDC_CLIENT_SECRET: secret }, 'OAUTH_OIDC_ISSUER'],
    [{ OAUTH_OIDC_ISSUER: 'http://localhost.evil.example', OAUTH_OIDC_CLIENT_ID: 'o', OAUTH_OIDC_CLIENT_SECRET: secret }, 'OAUTH_OIDC_ISSUER'],
  ])('that are half there, or in the clear, are refused: %j', (environment, named) => {
    const problems = problemsOf(environment)
    expect(problems.join()).toContain(named)
    expect(problems.join()).not.toContain(secret)
  })
})
