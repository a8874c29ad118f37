/** The master secrets, and the keys and digests that come of them. The only place that holds the master; nothing here is ever logged. */
import { createHmac, createSecretKey, hash, randomBytes } from 'node:crypto'
import { deriveInstanceKey, deriveKey, type ApiKey } from './core/keys.ts'
import type { DerivedKeySpec, TenantId } from './core/specs.ts'
import type { Keyring } from './reconcile/ports.ts'

export interface MasterSecret {
  readonly version: number
  readonly hex: string
}

/**
 * Reads `VERSION:HEX[,VERSION:HEX …]`, newest first.
 * @throws with a message that never quotes the text.
 */
export function parseMasterKey(text: string): MasterSecret[] {
  const secrets = text.trim().split(/[\s,]+/).map((part, index) => {
    const [, version, hex] = /^(\d{1,6}):((?:[0-9a-f]{2}){32,})$/i.exec(part) ?? []
    if (version === undefined || hex === undefined) throw new Error(`entry ${index + 1} is not VERSION:HEX with at least 64 hex digits, two for each byte`)
    return { version: Number(version), hex: hex.toLowerCase() }
  })
  const versions = new Set(secrets.map(({ version }) => version))
  if (versions.size !== secrets.length) throw new Error('a version stands twice')
  return secrets
}

export function newMasterKey(): string {
  return `1:${randomBytes(32).toString('hex')}`
}

export function createKeyring(secrets: readonly MasterSecret[]): Keyring {
  // As key objects: node takes many times as long where it has to make one of bytes for each MAC.
  const byVersion = new Map(secrets.map(({ version, hex }) => [version, createSecretKey(hex, 'hex')]))
  const newest = secrets[0]
  if (newest === undefined) throw new Error('there is no master key')
  const digest = (text: string): string => hash('sha256', text)
  const mac = (version: number, message: string): string => {
    const secret = byVersion.get(version)
    if (secret === undefined) throw new Error(`master key version ${version} is not in TENANTRY_MASTER_KEY; add it to the list, keys are derived under it`)
    return createHmac('sha256', secret).update(message).digest('hex')
  }
  const keyOf = (tenant: TenantId, key: DerivedKeySpec): ApiKey => deriveKey(mac, tenant, key)
  return {
    mac,
    masterVersion: newest.version,
    masterVersions: secrets.map(({ version }) => version),
    digest,
    keyOf,
    keyDigest: (tenant, key) => (key.digest === undefined ? digest(keyOf(tenant, key)) : key.digest),
    instanceKeyOf: (tenant) => deriveInstanceKey(mac, newest.version, tenant),
  }
}
