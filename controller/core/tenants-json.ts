/**
 * Renders tenants.json: one file for people, for tools and for SQ. SQ reads `tenants`, the map from live key to name and
 * data folder (`sq host PORT --config`, SQ 0.6), and ignores every other field; those are the brief's. Carries live keys: a secret.
 */
import { deriveInstanceKey, deriveKey, deriveProbeKey, isFullKey, keysOpen, type ApiKey, type Mac } from './keys.ts'
import type { DesiredTenant } from './desired.ts'
import type { TenantId } from './specs.ts'

export interface TenantsJsonInput {
  /** Names the instance: a shard's or a dedicated tenant's name. */
  readonly instance: string
  readonly maxTenants: number
  readonly defaultQuotaMb: number | null
  /** In the order in which they are written. */
  readonly members: Iterable<DesiredTenant>
  readonly dataFolder: (id: TenantId) => string
  /** An empty folder for the probe's own entry. */
  readonly probeFolder: string
}

/** The rendered file and the key that proves it loaded, both secret. */
export interface TenantsJson {
  readonly text: string
  /** Opens SQ only once exactly this text is loaded: how a reload is confirmed without naming a customer. */
  readonly probeKey: ApiKey
  /** What the probe key is derived from; no secret. */
  readonly about: string
}

export interface Secrets {
  readonly mac: Mac
  /** The version of the master secret that new keys and probes are derived under. */
  readonly masterVersion: number
  /** Every version there is, the newest first. */
  readonly masterVersions: readonly number[]
  /** SHA-256 in hex. */
  readonly digest: (text: string) => string
}

/**
 * Equal inputs give equal bytes. Of active tenants it has the live keys that may all that their tenant may, and the instance key under
 * each master secret, so that a new secret takes nobody's place before the gateway knows. Throws where a key's master secret is unknown.
 */
export function renderTenantsJson(input: TenantsJsonInput, secrets: Secrets): TenantsJson {
  const entries: string[] = []
  for (const member of input.members) {
    if (!keysOpen(member.state)) continue
    const folder = input.dataFolder(member.tenant)
    for (const key of member.keys) if (isFullKey(key)) entries.push(entry(deriveKey(secrets.mac, member.tenant, key), memberEntry(member, key.id, folder)))
    for (const version of secrets.masterVersions) entries.push(entry(deriveInstanceKey(secrets.mac, version, member.tenant), memberEntry(member, INSTANCE, folder)))
  }
  const head = `{\n  "max_tenants": ${input.maxTenants},\n  "default_quota_mb": ${input.defaultQuotaMb},\n  "tenants": {\n`
  const about = `${input.instance}\n${secrets.digest([head, ...entries, input.probeFolder].join('\n'))}`
  const probeKey = deriveProbeKey(secrets.mac, secrets.masterVersion, about)
  entries.push(entry(probeKey, { name: 'tenantry-probe', data_dir: input.probeFolder }))
  return { text: `${head}${entries.join(',\n')}\n  }\n}\n`, probeKey, about }
}

/** No key of a file has this id: those have no capitals. */
const INSTANCE = 'INSTANCE'

function entry(key: ApiKey, value: object): string {
  return `    ${JSON.stringify(key)}: ${JSON.stringify(value)}`
}

function memberEntry(member: DesiredTenant, keyId: string, dataFolder: string): object {
  const { storageMb } = member.limits
  return {
    name: member.tenant,
    data_dir: dataFolder,
    id: member.tenant,
    key_id: keyId,
    quota_mb: typeof storageMb === 'number' ? storageMb : null,
    enabled: true,
    tier: member.tier,
    created_at: member.createdAt,
  }
}
