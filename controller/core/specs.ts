/**
 * The four kinds of file a person writes, as typed values. The JSON Schemas in schemas/ are the definition; these types
 * say the same for the compiler. Nothing here reads YAML: controller/specs/ turns text into these values or problems.
 */

export const API_VERSION = 'tenantry.dev/v1'

/** A tenant's id, such as `user001`: `metadata.name`, given once and never again. */
export type TenantId = string & { readonly __brand: 'TenantId' }
/** A commit's full object name in hex. */
export type CommitId = string & { readonly __brand: 'CommitId' }
/** A git blob's full object name in hex: a content hash, so equal ids mean equal text. */
export type BlobId = string & { readonly __brand: 'BlobId' }
/** A point in time: RFC 3339 in UTC, as in `2026-02-12T13:15:00Z`. */
export type Timestamp = string

export type Kind = 'Platform' | 'Product' | 'Plan' | 'Tenant'

export interface Metadata {
  readonly name: string
}

/** A limit: a count in the unit that its name says, or `unlimited` (which stays under the plan's fair-use ceiling). */
export type Limit = number | 'unlimited'

/** Every limit that a plan can set and a tenant can differ in. Units are in the names; absent means the product has no such limit. */
export interface Limits {
  readonly storageMb?: Limit
  readonly documents?: Limit
  readonly workspaces?: Limit
  readonly tokensPerQuery?: Limit
  readonly requestsPerSecond?: Limit
  readonly burst?: Limit
  readonly requestsPerDay?: Limit
  readonly requestsPerMonth?: Limit
  readonly bodyMb?: Limit
  readonly memoryMb?: number
  readonly cpus?: number
  readonly profiles?: number
  readonly devicesPerProfile?: number
  readonly dataRetentionDays?: Limit
}

export type LimitName = keyof Limits

export interface Platform {
  readonly kind: 'Platform'
  readonly metadata: Metadata
  readonly spec: PlatformSpec
}

export interface PlatformSpec {
  /** The installation's own domain, such as `mirrorborn.us`. */
  readonly domain: string
  /** Removals that one revision may bring without a person's approval: the smaller of the two holds. */
  readonly deletionLimit: { readonly count: number; readonly sharePercent: number }
  /** Days for which a removed or ended tenant's data is kept. */
  readonly retentionDays: number
  /** Hours for which a rotated key goes on working. */
  readonly keyOverlapHours: number
  /** The largest value that any plan or tenant may set. */
  readonly bounds: Readonly<Partial<Record<LimitName, number>>>
  /** Where a refused customer is sent. */
  readonly links?: { readonly upgrade?: string; readonly payment?: string; readonly support?: string }
  /** The product whose page is at `/`, and the seller's name. */
  readonly site?: { readonly product: string; readonly name?: string }
  readonly billing?: PlatformBilling
}

/** How far billing may go by itself. */
export interface PlatformBilling {
  /** Suspensions and endings of one comparison with Stripe; the smaller of the two holds, above it all of them wait for a person. */
  readonly suspensionLimit?: { readonly count: number; readonly sharePercent: number }
  /** Minutes between comparisons; 15 where absent. */
  readonly compareMinutes?: number
}

export interface Product {
  readonly kind: 'Product'
  readonly metadata: Metadata
  readonly spec: ProductSpec
}

export interface ProductSpec {
  readonly title: string
  readonly tagline?: string
  /** Ids are `prefix` and a number of at least `digits` digits: `user` and 3 give user001 … user999, user1000. */
  readonly tenantId: { readonly prefix: string; readonly digits: number }
  /** Public path that the gateway forwards for this product's keys; absent where the product has no HTTP API. */
  readonly api?: ApiSpec
  readonly run: SharedSqRun | ContainerRun
  /** Its pages; absent: it is not on the site. */
  readonly site?: ProductSite
}

/** The words, colours and picture of a product's pages. */
export interface ProductSite {
  /** Host names at which it is the front page; it is always at /products/NAME. */
  readonly hosts?: readonly string[]
  readonly headline: string
  readonly lead: string
  readonly callToAction: string
  /** `#rrggbb`, for a light and a dark page. */
  readonly accent: { readonly light: string; readonly dark: string }
  /** SVG text. */
  readonly picture?: string
  readonly pictureText?: string
  readonly points?: readonly { readonly title: string; readonly text: string }[]
  readonly promises?: readonly string[]
  readonly questions?: readonly { readonly question: string; readonly answer: string }[]
  readonly support?: string
  readonly community?: string
}

export interface ApiSpec {
  readonly path: string
  /** Tenants are also reached as `ID.SUFFIX`. */
  readonly hostSuffix?: string
  /** Tokens of another issuer that open a tenant beside its keys. */
  readonly jwt?: JwtSpec
}

/** Signed tokens (RFC 7519) that the product's customers bring along, checked against the issuer's published keys. */
export interface JwtSpec {
  readonly issuer: string
  readonly audience: string
  /** Where the issuer publishes its keys: https, or http on this machine. */
  readonly jwksUrl: string
  /** The claim that names the tenant by its id. */
  readonly tenantClaim: string
}

/** Many tenants in one SQ process or container (a shard). */
export interface SharedSqRun {
  readonly kind: 'shared-sq'
  /** `process`: a supervised child of the controller. `docker`: a container, published on 127.0.0.1 only. */
  readonly engine: 'process' | 'docker'
  readonly tenantsPerShard: number
  /** The image, where the engine is docker. */
  readonly image?: string
}

/** A container for each tenant. */
export interface ContainerRun {
  readonly kind: 'container'
  readonly image: string
  readonly command?: readonly string[]
  readonly user?: string
  readonly environment?: Readonly<Record<string, string>>
  /** Linux capabilities given back after all are dropped. */
  readonly capabilities?: readonly string[]
  readonly ports: readonly ContainerPort[]
  readonly volumes: readonly { readonly name: string; readonly path: string }[]
  /** Writable folders in memory; the root file system is read-only. */
  readonly tmpfs?: readonly string[]
  /** Files that Tenantry renders into the folder `/run/tenantry` of the container. */
  readonly files?: readonly RenderedFileSpec[]
  /** Run inside the container when only a rendered file changed; absent: the container is restarted. */
  readonly reload?: readonly string[]
  readonly health: { readonly port: string; readonly path: string }
  readonly pidsLimit: number
  readonly stopGraceSeconds: number
  /** Memory and processors where the plan sets none. */
  readonly memoryMb: number
  readonly cpus: number
}

export interface ContainerPort {
  readonly name: string
  readonly port: number
}

/** `sq-config`: the map from live key to tenant that `sq host PORT --config` reads. `authorized-keys`: the SSH keys of all devices. */
export interface RenderedFileSpec {
  readonly name: string
  readonly content: 'sq-config' | 'authorized-keys'
}

export interface Plan {
  readonly kind: 'Plan'
  readonly metadata: Metadata
  readonly spec: PlanSpec
}

export type BillingInterval = 'month' | 'year'

export interface Price {
  /** In the currency's smallest unit: cents. */
  readonly amount: number
  /** ISO 4217, lower case, as Stripe writes it. */
  readonly currency: string
}

export interface PlanSpec {
  readonly product: string
  readonly title: string
  /** The tier that tenants.json names, such as `founder`. */
  readonly tier: string
  readonly prices: Readonly<Partial<Record<BillingInterval, Price>>>
  /** How many tenants may hold this plan at once; absent: no end. */
  readonly slots?: number
  /** The plan that is sold when the slots are gone. */
  readonly successor?: string
  readonly trialDays?: number
  readonly limits: Limits
  /** What `unlimited` stays under. */
  readonly fairUse?: Limits
  readonly features?: readonly string[]
  /** A line that says for whom it is. */
  readonly summary?: string
  /** Days for which a tenant runs on while a payment is due; 7 where absent. */
  readonly graceDays?: number
  readonly promotionCodes?: boolean
  readonly automaticTax?: boolean
  /** Not offered on the site. */
  readonly unlisted?: boolean
  /** What is paid for by use, beside the price. */
  readonly meters?: readonly Meter[]
  /** Agents may begin a trial by themselves; absent: they cannot. */
  readonly agentTrial?: AgentTrial
}

export interface Meter {
  readonly of: 'requests' | 'bytesOut'
  /** So many are one unit. */
  readonly per: number
  /** So many of `of` a month cost nothing; 0 where absent. */
  readonly included?: number
  /** What one unit costs. */
  readonly price: Price
}

export interface AgentTrial {
  /** Until an unclaimed one ends. */
  readonly days: number
  /** From one address a day. */
  readonly perAddress: number
  /** Unclaimed ones at once. */
  readonly total: number
  /** Laid over the plan's. */
  readonly limits?: Limits
}

export interface Tenant {
  readonly kind: 'Tenant'
  readonly metadata: { readonly name: TenantId }
  readonly spec: TenantSpec
}

export type TenantState = 'active' | 'suspended' | 'ended'

export interface TenantSpec {
  readonly product: string
  readonly plan: string
  readonly owner: Owner
  readonly state: TenantState
  readonly stateReason?: string
  /** The rule that put it into this state, and may take it out again; absent: a person did. */
  readonly stateBy?: 'billing' | 'trial'
  readonly endedAt?: Timestamp
  /** Only what differs from the plan. */
  readonly limits?: Limits
  readonly keys: readonly KeySpec[]
  readonly billing?: BillingSpec
  /** Begun by an agent; gone when a person pays. */
  readonly trial?: { readonly endsAt: Timestamp; readonly claimedAt?: Timestamp }
  /** Makes the loop leave this tenant alone until then. */
  readonly hold?: { readonly until: Timestamp; readonly reason: string; readonly by: string }
  readonly profiles?: readonly SshProfile[]
}

export interface Owner {
  readonly email: string
  readonly username?: string
  /** Agreed to stand on the founders page under this name. */
  readonly listedAs?: string
}

/** What the text of a key comes from: derived, or, where it was handed out before Tenantry, known by its digest alone. */
export type KeySpec = DerivedKeySpec | ImportedKeySpec

export interface DerivedKeySpec extends KeyFields {
  /** 32 hex digits, random: part of what the key is derived from. */
  readonly nonce: string
  /** The version of the master secret that it is derived under; 1 where absent. */
  readonly master?: number
  readonly digest?: never
}

export interface ImportedKeySpec extends KeyFields {
  /** SHA-256 of the key's text in hex. */
  readonly digest: string
  readonly nonce?: never
  readonly master?: never
}

interface KeyFields {
  /** Unique in the tenant: k1, k2, … */
  readonly id: string
  readonly name?: string
  /** The key of this tenant that it was made from: it never may more than that one, and ends with it. */
  readonly parent?: string
  /** What the key may, where that is less than the tenant may. */
  readonly access?: KeyAccess
  readonly createdAt: Timestamp
  readonly expiresAt?: Timestamp
  readonly revokedAt?: Timestamp
}

/** Each field narrows; what is absent is as the tenant has it. */
export interface KeyAccess {
  readonly readOnly?: true
  /** The only phexts that it opens; the empty name is the phext of calls without `p`. */
  readonly phexts?: readonly string[]
  readonly requestsPerSecond?: number
  /** Over its whole life. */
  readonly requests?: number
}

export interface BillingSpec {
  readonly customer?: string
  readonly subscription?: string
  /** The Checkout session that paid: the identity of a purchase. */
  readonly checkout?: string
  readonly interval?: BillingInterval
  /** Units paid for; 1 where absent. */
  readonly quantity?: number
  /** What one unit costs in an interval: kept while the plan's price changes. */
  readonly price?: Price
  /** The subscription's status at Stripe when this was written; an open set. */
  readonly status?: string
  /** A payment is due: it runs until then. */
  readonly graceUntil?: Timestamp
  readonly trialEndsAt?: Timestamp
  /** Cancelled, and runs until then. */
  readonly cancelAt?: Timestamp
  /** The plan whose price Stripe charges: where it stays as it is, nobody changed the plan there, and `spec.plan` is the repository's to say. */
  readonly paidPlan?: string
}

export interface SshProfile {
  readonly username: string
  readonly devices: readonly SshDevice[]
}

export interface SshDevice {
  readonly name: string
  /** One line: type, base64, optional comment. */
  readonly publicKey: string
  readonly addedAt?: Timestamp
}

export type AnySpec = Platform | Product | Plan | Tenant
