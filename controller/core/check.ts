/**
 * What a schema cannot say: references resolve, names are unique, slots are not oversold, limits make sense together. Each check
 * is of one file in its context and returns everything that is wrong with it; places are added by controller/specs/. Pure.
 */
import type { CatalogView } from './catalog-view.ts'
import { keyFindings } from './check-keys.ts'
import { limitFindings, limitsOf, missingReference, offersSsh } from './limits.ts'
import type { Finding } from './problem.ts'
import type { ContainerRun, Plan, Platform, Product, SshProfile, Tenant, TenantId } from './specs.ts'
import { sshKeyFault, sshKeyIdentity } from './ssh-public-key.ts'
import { parseTenantNumber, tenantId } from './tenant-id.ts'
import type { UniqueField } from './tenant-index.ts'

/** What the check of a tenant asks about the rest of the repository. */
export interface TenantContext {
  readonly platform: Platform | undefined
  /** The product and plan that the tenant names, where they are in force. */
  readonly product: Product | undefined
  readonly plan: Plan | undefined
  /** For "did you mean"; asked only when something is wrong. */
  readonly productNames: () => Iterable<string>
  readonly planNames: () => Iterable<string>
  /** Another tenant that holds this value; for `username`, within the same product. */
  readonly heldBy: (field: UniqueField, value: string) => TenantId | undefined
  /** How many tenants come before this one for a slot of its plan; asked only for a plan that has slots and a tenant that holds one. */
  readonly slotRank: () => number
}

export function checkTenant(tenant: Tenant, path: string, context: TenantContext): Finding[] {
  return [
    ...referenceFindings(tenant, path, context),
    ...uniqueFindings(tenant, path, context),
    ...stateFindings(tenant, path),
    ...slotFindings(tenant, path, context),
    ...tenantLimitFindings(tenant, path, context),
    ...keyFindings(tenant, path, context),
    ...sshFindings(tenant, path, context),
  ]
}

function referenceFindings({ metadata, spec }: Tenant, file: string, { product, plan, productNames, planNames }: TenantContext): Finding[] {
  const findings: Finding[] = []
  if (product === undefined) findings.push(missingReference(file, 'spec.product', 'product', spec.product, productNames()))
  else if (parseTenantNumber(product, metadata.name) === undefined) {
    const examples = `${tenantId(product, 1)} or ${tenantId(product, 327)}`
    findings.push({ file, field: 'metadata.name', message: `\`${metadata.name}\` is no id of ${spec.product}, whose ids look like ${examples}`, fix: 'Correct the name or the product.' })
  }
  if (plan === undefined) findings.push(missingReference(file, 'spec.plan', 'plan', spec.plan, planNames()))
  else if (plan.spec.product !== spec.product) {
    findings.push({ file, field: 'spec.plan', message: `\`${spec.plan}\` is a plan of ${plan.spec.product}, not of ${spec.product}`, fix: `Choose a plan of ${spec.product}.` })
  }
  return findings
}

function uniqueFindings({ spec }: Tenant, file: string, { heldBy }: TenantContext): Finding[] {
  const findings: Finding[] = []
  const check = (kind: 'username' | 'checkout' | 'subscription', value: string | undefined, field: string, fix: string): void => {
    const other = value === undefined ? undefined : heldBy(kind, value)
    if (other !== undefined) findings.push({ file, field, message: `\`${value}\` belongs to ${other} already`, fix })
  }
  check('username', spec.owner.username, 'spec.owner.username', `Choose a name that no other tenant of ${spec.product} has.`)
  check('checkout', spec.billing?.checkout, 'spec.billing.checkout', 'One purchase makes one tenant: remove one of the two files, or correct the id.')
  check('subscription', spec.billing?.subscription, 'spec.billing.subscription', 'One subscription pays for one tenant: correct the id.')
  return findings
}

function stateFindings({ spec }: Tenant, file: string): Finding[] {
  if (spec.state === 'ended' && spec.endedAt === undefined) {
    return [{ file, field: 'spec.endedAt', message: 'an ended tenant needs the time at which it ended', fix: 'Add it: the retention of its data counts from there.' }]
  }
  if (spec.state !== 'ended' && spec.endedAt !== undefined) {
    return [{ file, field: 'spec.endedAt', message: `the tenant is ${spec.state}, so it has not ended`, fix: 'Remove endedAt, or set the state to ended.' }]
  }
  return []
}

function slotFindings({ spec }: Tenant, file: string, { plan, slotRank }: TenantContext): Finding[] {
  const slots = plan?.spec.slots
  if (slots === undefined || spec.state === 'ended' || slotRank() < slots) return []
  const next = plan?.spec.successor
  return [{ file, field: 'spec.plan', message: `all ${slots} slots of ${spec.plan} are taken`, fix: next === undefined ? 'Choose another plan.' : `Use its successor ${next}.` }]
}

function tenantLimitFindings({ spec }: Tenant, file: string, { platform, product, plan }: TenantContext): Finding[] {
  if (spec.limits === undefined || plan === undefined) return []
  const inForce = limitsOf(plan.spec.limits, spec)
  return limitFindings({ file, field: 'spec.limits', limits: spec.limits, inForce, fairUse: plan.spec.fairUse, bounds: platform?.spec.bounds, product })
}

function sshFindings({ spec }: Tenant, file: string, { product, plan }: TenantContext): Finding[] {
  const profiles = spec.profiles ?? []
  if (profiles.length === 0) return []
  if (product !== undefined && !offersSsh(product)) return [{ file, field: 'spec.profiles', message: `tenants of ${spec.product} have no SSH log-in`, fix: 'Remove the profiles.' }]
  const limits = plan === undefined ? {} : limitsOf(plan.spec.limits, spec)
  const findings: Finding[] = []
  if (profiles.length > (limits.profiles ?? Infinity)) {
    findings.push({ file, field: 'spec.profiles', message: `there are ${profiles.length} profiles, and the limit is ${limits.profiles}`, fix: 'Remove profiles, or raise spec.limits.profiles.' })
  }
  const seen = new Map<string, string>()
  profiles.forEach((profile, i) => findings.push(...profileFindings(profile, i, { file, profiles, seen, devices: limits.devicesPerProfile ?? Infinity })))
  return findings
}

interface ProfileCheck {
  readonly file: string
  readonly profiles: readonly SshProfile[]
  /** Where each public key was seen first. */
  readonly seen: Map<string, string>
  readonly devices: number
}

function profileFindings(profile: SshProfile, index: number, { file, profiles, seen, devices }: ProfileCheck): Finding[] {
  const findings: Finding[] = []
  const field = `spec.profiles[${index}]`
  if (profiles.findIndex(({ username }) => username === profile.username) < index) {
    findings.push({ file, field: `${field}.username`, message: `\`${profile.username}\` is the name of another profile of this tenant`, fix: 'Choose another name.' })
  }
  if (profile.devices.length > devices) {
    findings.push({ file, field: `${field}.devices`, message: `there are ${profile.devices.length} devices, and the limit is ${devices}`, fix: 'Remove devices, or raise spec.limits.devicesPerProfile.' })
  }
  profile.devices.forEach(({ publicKey }, i) => {
    const at = `${field}.devices[${i}].publicKey`
    const fault = sshKeyFault(publicKey)
    const first = seen.get(sshKeyIdentity(publicKey))
    if (fault !== undefined) findings.push({ file, field: at, message: `this is no usable SSH public key: ${fault}`, fix: 'Paste the one line of the .pub file.' })
    else if (first !== undefined) findings.push({ file, field: at, message: `the same key is at ${first}`, fix: 'A key belongs to one device: remove one of the two.' })
    else seen.set(sshKeyIdentity(publicKey), at)
  })
  return findings
}

/** What the checks of plans and products ask about the rest of the repository. */
export type SharedView = Pick<CatalogView, 'platform' | 'product' | 'products' | 'plan' | 'plans'>

export function checkPlan(plan: Plan, path: string, view: SharedView): Finding[] {
  const { spec } = plan
  const product = view.product(spec.product)
  const findings: Finding[] = []
  if (product === undefined) findings.push(missingReference(path, 'spec.product', 'product', spec.product, names(view.products())))
  findings.push(...successorFindings(plan, path, view))
  const common = { file: path, fairUse: spec.fairUse, bounds: view.platform?.spec.bounds, product }
  findings.push(...limitFindings({ ...common, field: 'spec.limits', limits: spec.limits, inForce: spec.limits }))
  if (spec.fairUse !== undefined) findings.push(...limitFindings({ ...common, field: 'spec.fairUse', limits: spec.fairUse, inForce: { ...spec.limits, ...spec.fairUse } }))
  return findings
}

function successorFindings({ metadata, spec }: Plan, file: string, view: SharedView): Finding[] {
  if (spec.successor === undefined) return []
  const field = 'spec.successor'
  if (spec.slots === undefined) return [{ file, field, message: 'a plan without slots never runs out, so nothing can follow it', fix: 'Set slots, or remove successor.' }]
  if (spec.successor === metadata.name) return [{ file, field, message: 'a plan cannot follow itself', fix: 'Name another plan.' }]
  const successor = view.plan(spec.successor)
  if (successor === undefined) return [missingReference(file, field, 'plan', spec.successor, names(view.plans()))]
  if (successor.spec.product !== spec.product) {
    return [{ file, field, message: `\`${spec.successor}\` is a plan of ${successor.spec.product}, not of ${spec.product}`, fix: `Name a plan of ${spec.product}.` }]
  }
  const seen = new Set<string>()
  for (let next: Plan | undefined = successor; next !== undefined && !seen.has(next.metadata.name); next = next.spec.successor === undefined ? undefined : view.plan(next.spec.successor)) {
    if (next.metadata.name === metadata.name) return [{ file, field, message: `the plans ${[...seen].join(', ')} and this one follow each other in a circle`, fix: 'Let the last one have no successor.' }]
    seen.add(next.metadata.name)
  }
  return []
}

function names(things: Iterable<Plan | Product>): string[] {
  return [...things].map(({ metadata }) => metadata.name)
}

export function checkProduct(product: Product, path: string, view: SharedView): Finding[] {
  const { spec } = product
  const findings: Finding[] = []
  for (const other of view.products()) {
    if (other.metadata.name === product.metadata.name || other.spec.tenantId.prefix !== spec.tenantId.prefix) continue
    findings.push({ file: path, field: 'spec.tenantId.prefix', message: `\`${spec.tenantId.prefix}\` is the prefix of ${other.metadata.name} already`, fix: 'Choose another: an id belongs to one product.' })
  }
  findings.push(...shardNameFindings(product, path, view), ...apiFindings(product, path))
  if (spec.run.kind === 'container') findings.push(...containerFindings(spec.run, path))
  else if (spec.run.engine === 'docker' && spec.run.image === undefined) {
    findings.push({ file: path, field: 'spec.run.image', message: 'an SQ that runs in docker needs an image', fix: 'Add image, as in `image: tenantry/sq:0.6.0`.' })
  }
  return findings
}

/** An id such as sq-001 would also be the name of a shard of sq: two containers of one name, and one would replace the other. */
function shardNameFindings(product: Product, file: string, view: SharedView): Finding[] {
  const clash = (shared: Product, { spec }: Product): boolean => shared.spec.run.kind === 'shared-sq' && spec.tenantId.prefix === `${shared.metadata.name}-`
  for (const other of [product, ...view.products()]) {
    const { name } = other.metadata
    if (clash(other, product)) return [{ file, field: 'spec.tenantId.prefix', message: `ids with it look like the names of the shards of ${name}`, fix: 'Choose another prefix.' }]
    if (clash(product, other)) return [{ file, field: 'metadata.name', message: `the ids of ${name} look like the names of this product's shards`, fix: 'Choose another name.' }]
  }
  return []
}

/** Addresses of Tenantry's own on the public port: an API there would answer instead of payments, sign-up and pages. */
const OWN_PATHS = ['/api/stripe/', '/api/checkout/', '/api/founding-progress/', '/api/keys/', '/api/agents/', '/api/usage/', '/api/auth/', '/api/setup/', '/api/devices/', '/api/subdomain/', '/api/status/', '/webhooks/', '/internal/', '/mcp/', '/products/', '/assets/', '/auth/', '/account/', '/dashboard/', '/unsubscribe/', '/claim/', '/welcome/', '/signup/']

function apiFindings({ spec: { api } }: Product, file: string): Finding[] {
  if (api === undefined) return []
  const field = 'spec.api.path'
  if (api.path.split('/').some((step) => step === '.' || step === '..')) return [{ file, field, message: 'it has a `.` or `..` part', fix: 'Write the plain path.' }]
  const own = OWN_PATHS.find((path) => path.startsWith(api.path) || api.path.startsWith(path))
  return own === undefined ? [] : [{ file, field, message: `${own.slice(0, -1)} is Tenantry's own address`, fix: 'Choose another path, such as /api/v1/.' }]
}

function containerFindings(run: ContainerRun, file: string): Finding[] {
  const findings: Finding[] = []
  const field = 'spec.run'
  if (!run.ports.some(({ name }) => name === run.health.port)) {
    const known = run.ports.map(({ name }) => name)
    findings.push({ ...missingReference(file, `${field}.health.port`, 'port', run.health.port, known), message: `there is no port \`${run.health.port}\` in spec.run.ports` })
  }
  findings.push(
    ...twice(run.ports.map(({ name }) => name), file, (i) => `${field}.ports[${i}].name`),
    ...twice(run.ports.map(({ port }) => String(port)), file, (i) => `${field}.ports[${i}].port`),
    ...twice(run.volumes.map(({ name }) => name), file, (i) => `${field}.volumes[${i}].name`),
    ...twice((run.files ?? []).map(({ name }) => name), file, (i) => `${field}.files[${i}].name`),
    ...mountFindings(run, file),
  )
  const reserved = run.volumes.findIndex(({ name }) => name === RESERVED_VOLUME)
  if (reserved >= 0) findings.push({ file, field: `${field}.volumes[${reserved}].name`, message: `\`${RESERVED_VOLUME}\` is the volume of rendered files`, fix: 'Choose another name.' })
  return findings
}

/** Where the docker runtime keeps a container's rendered files. */
const RESERVED_VOLUME = 'tenantry-files'

/** Folders of the container that are not a product's to mount over. */
const RESERVED_FOLDERS = ['/run/tenantry', '/proc', '/sys', '/dev']

function mountFindings(run: ContainerRun, file: string): Finding[] {
  const mounts = [
    ...run.volumes.map(({ path }, i) => ({ path, field: `spec.run.volumes[${i}].path` })),
    ...(run.tmpfs ?? []).map((path, i) => ({ path, field: `spec.run.tmpfs[${i}]` })),
  ]
  return mounts.flatMap(({ path, field }, i) => {
    const reserved = RESERVED_FOLDERS.find((folder) => path === folder || path.startsWith(`${folder}/`))
    if (reserved !== undefined) return [{ file, field, message: `${reserved} is not free to mount on`, fix: 'Choose another folder.' }]
    if (mounts.findIndex((other) => other.path === path) < i) return [{ file, field, message: `${path} is mounted twice`, fix: 'Choose another folder.' }]
    return []
  })
}

function twice(values: readonly string[], file: string, fieldOf: (index: number) => string): Finding[] {
  return values.flatMap((value, i) => (values.indexOf(value) < i ? [{ file, field: fieldOf(i), message: `\`${value}\` stands in the list twice`, fix: 'Make it unique.' }] : []))
}
