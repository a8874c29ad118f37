/**
 * Which tenants an SQ installation's customers become, or everything that stands in the way. All or nothing: one clash and nobody is
 * taken over. Pure and repeatable, since it is decided anew on a newer catalog when somebody else's push came first. Customers that
 * are tenants already, by their keys' digests, are left as they are.
 */
import type { CatalogView } from './catalog-view.ts'
import { printable, type ImportEntry, type ImportFault } from './import-file.ts'
import { mergeLimits } from './limits.ts'
import { isEmail, tenantPath, usernameFrom } from './purchase.ts'
import type { DerivedKeySpec, ImportedKeySpec, Plan, Product, Tenant, TenantId, TenantSpec, Timestamp } from './specs.ts'
import { parseTenantNumber, tenantId } from './tenant-id.ts'
import { timestampOf } from './timestamp.ts'

/** One key of the file, with what was found on this machine. */
export interface ImportKey {
  readonly entry: ImportEntry
  /** SHA-256 of its text in hex. */
  readonly digest: string
  /** The data folder, absolute and without links on the way. */
  readonly folder: string
}

export interface ImportInputs {
  readonly product: Product
  /** The plan for everybody; undefined: by each one's tier. */
  readonly plan: Plan | undefined
  /** The tenant that a key opens already, imported or made here. */
  readonly ownerOf: (digest: string) => TenantId | undefined
  /** The tenant for which data that came with a key is kept, whether or not it still has a file. */
  readonly keptFor: (digest: string) => TenantId | undefined
  /** The keys with which a folder was taken over before. */
  readonly keysOfFolder: (folder: string) => readonly string[]
  /** Whether an id was ever a tenant's, here or in the repository's history. */
  readonly wasGiven: (id: TenantId) => boolean
  /** The highest number of the product that was ever given, by the store. */
  readonly highestNumber: number
  readonly now: Timestamp
  /** 32 random hex digits, as many as there are keys. */
  readonly nonces: readonly string[]
  /** The version of the master secret for new keys. */
  readonly masterVersion: number
}

export interface ImportedTenant {
  /** What it was called before; may be empty. */
  readonly name: string
  readonly tenant: Tenant
  readonly path: string
  readonly number: number
  readonly folder: string
  readonly digests: readonly string[]
  /** What it may store, where that is limited. */
  readonly storageMb: number | undefined
}

export interface ImportPlan {
  readonly tenants: readonly ImportedTenant[]
  /** Who is a tenant already. */
  readonly already: readonly { readonly name: string; readonly tenant: TenantId; readonly folder: string; readonly digests: readonly string[] }[]
  readonly clashes: readonly ImportFault[]
}

/** A customer: the keys that open one data folder. */
interface Customer {
  readonly at: string
  readonly name: string
  readonly folder: string
  readonly keys: readonly ImportKey[]
  readonly nonce: string
}

/** Kept ids may be this far above all others: one huge number would use up the ids of everybody after it. */
const FURTHEST_KEPT_NUMBER = 10_000
const BEFORE_KEYS_HAD_NAMES = 'imported'

export function planImport(catalog: CatalogView, keys: readonly ImportKey[], inputs: ImportInputs): ImportPlan {
  const customers = customersOf(keys, inputs.nonces)
  const known = customers.map((customer) => ownerOf(customer, inputs))
  const already = customers.flatMap(({ name, folder, keys: own }, index) => {
    const owner = known[index]!
    return owner.kind === 'owned' ? [{ name, tenant: owner.tenant, folder, digests: own.map(({ digest }) => digest) }] : []
  })
  const fresh = customers.filter((_, index) => known[index]!.kind === 'new')
  const plans = new Map(fresh.map((customer) => [customer, planOf(catalog, customer, inputs)]))
  const named = nameAll(catalog, fresh, inputs)
  const clashes = [
    ...repeatedKeys(keys),
    ...customers.flatMap(customerFaults),
    ...nestedFolders(customers),
    ...known.flatMap((owner) => (owner.kind === 'clash' ? [owner.fault] : [])),
    ...fresh.flatMap((customer) => takenFolder(customer, inputs)),
    ...[...plans.values()].flatMap((plan) => ('fault' in plan ? [plan.fault] : [])),
    ...fresh.flatMap(emailFaults),
    ...named.faults,
    ...slotFaults(catalog, [...plans.values()].flatMap((plan) => ('plan' in plan ? [plan.plan] : []))),
  ]
  if (clashes.length > 0) return { tenants: [], already, clashes }
  const tenants = fresh.map((customer) => {
    const plan = plans.get(customer)!
    if (!('plan' in plan)) throw new Error('a customer without a plan is a clash')
    return importedTenant(customer, named.names.get(customer)!, plan.plan, inputs)
  })
  return { tenants, already, clashes }
}

/** Several keys for one folder are keys of one customer, as with SQ. */
function customersOf(keys: readonly ImportKey[], nonces: readonly string[]): Customer[] {
  const byFolder = new Map<string, ImportKey[]>()
  for (const key of keys) {
    const own = byFolder.get(key.folder)
    if (own === undefined) byFolder.set(key.folder, [key])
    else own.push(key)
  }
  return [...byFolder].map(([folder, own], index) => {
    const nonce = nonces[index]
    if (nonce === undefined) throw new Error('planImport needs a nonce for each key')
    return { at: own[0]!.entry.at, name: own.find(({ entry }) => entry.name !== '')?.entry.name ?? '', folder, keys: own, nonce }
  })
}

type Owner = { readonly kind: 'new' } | { readonly kind: 'owned'; readonly tenant: TenantId } | { readonly kind: 'clash'; readonly fault: ImportFault }

function ownerOf({ at, keys }: Customer, inputs: ImportInputs): Owner {
  const owners = keys.map(({ digest }) => inputs.ownerOf(digest))
  const [first] = owners
  if (owners.every((owner) => owner === undefined)) return removedOrNew(at, keys, inputs)
  if (first !== undefined && owners.every((owner) => owner === first)) return { kind: 'owned', tenant: first }
  const others = [...new Set(owners.filter((owner) => owner !== undefined))]
  const message = others.length > 1 ? `its keys belong to different tenants: ${others.join(', ')}` : `some of its keys belong to ${others[0]} already, and others are new`
  return { kind: 'clash', fault: { at, message, fix: others.length > 1 ? 'Leave the entries out, and look at these tenants.' : `Leave the new ones out, and make keys for it with \`tenantry key create ${others[0]}\`.` } }
}

function removedOrNew(at: string, keys: readonly ImportKey[], { keptFor }: ImportInputs): Owner {
  const former = keys.map(({ digest }) => keptFor(digest)).find((tenant) => tenant !== undefined)
  if (former === undefined) return { kind: 'new' }
  return { kind: 'clash', fault: { at, message: `it is ${former}, whose file was removed and whose data is still kept`, fix: 'Bring that file back by a revert: then it goes on with its data.' } }
}

/** Only `sq route` could hold one: in a map the later one stands for both. */
function repeatedKeys(keys: readonly ImportKey[]): ImportFault[] {
  const first = new Map<string, string>()
  return keys.flatMap(({ digest, entry: { at } }) => {
    const before = first.get(digest)
    if (before === undefined) first.set(digest, at)
    return before === undefined ? [] : [{ at, message: `it has the same key as ${before}`, fix: 'A key opens one customer’s data: leave one of the two out.' }]
  })
}

function customerFaults({ at, keys }: Customer): ImportFault[] {
  const names = [...new Set(keys.map(({ entry }) => entry.name).filter((name) => name !== ''))]
  if (names.length <= 1) return []
  return [{ at, message: `its data folder is also that of ${names.slice(1).map(printable).join(', ')}`, fix: 'Several keys of one customer have one name: give these entries the same, or each a folder of its own.' }]
}

/** With a slash behind each, everything inside a folder follows it directly. */
function nestedFolders(customers: readonly Customer[]): ImportFault[] {
  const sorted = customers.toSorted((a, b) => (`${a.folder}/` < `${b.folder}/` ? -1 : 1))
  const faults: ImportFault[] = []
  let outer: Customer | undefined
  for (const customer of sorted) {
    if (outer === undefined || !customer.folder.startsWith(`${outer.folder}/`)) outer = customer
    else faults.push({ at: customer.at, message: `its data folder lies inside that of ${outer.at}`, fix: 'Move it beside the other one.' })
  }
  return faults
}

function takenFolder({ at, folder, keys }: Customer, inputs: ImportInputs): ImportFault[] {
  const before = inputs.keysOfFolder(folder).filter((digest) => inputs.ownerOf(digest) !== undefined)
  if (before.length === 0 || keys.some(({ digest }) => before.includes(digest))) return []
  return [{ at, message: `its data folder was taken over for ${inputs.ownerOf(before[0]!)} already`, fix: 'Leave the entry out; for another key of that tenant use `tenantry key create`.' }]
}

type PlanChoice = { readonly plan: Plan } | { readonly fault: ImportFault }

function planOf(catalog: CatalogView, { at, keys }: Customer, { product, plan }: ImportInputs): PlanChoice {
  if (plan !== undefined) return { plan }
  const tier = keys.find(({ entry }) => entry.tier !== undefined)?.entry.tier
  const plans = [...catalog.plans()].filter(({ spec }) => spec.product === product.metadata.name)
  const fitting = plans.filter(({ spec }) => spec.tier === tier)
  if (fitting.length === 1) return { plan: fitting[0]! }
  const message = tier === undefined ? 'nothing says which plan it has' : `no single plan of ${product.metadata.name} has the tier ${printable(tier)}`
  return { fault: { at, message, fix: `Name one with --plan: ${plans.map(({ metadata }) => metadata.name).join(', ')}.` } }
}

function slotFaults(catalog: CatalogView, plans: readonly Plan[]): ImportFault[] {
  return [...new Set(plans)].flatMap((plan) => {
    const { slots, successor } = plan.spec
    const { name } = plan.metadata
    const wanted = plans.filter((each) => each === plan).length
    const left = slots === undefined ? Infinity : Math.max(0, slots - catalog.slotsTaken(name))
    if (wanted <= left) return []
    const other = successor === undefined ? '' : `, name another plan with --plan, such as ${successor}`
    return [{ at: `plan ${name}`, message: `${wanted} slots are needed, and ${left} of ${slots} are left`, fix: `Raise \`slots\` in the plan's file${other}, or take over fewer at once.` }]
  })
}

function emailFaults({ at, keys }: Customer): ImportFault[] {
  const email = emailOf(keys)
  return email === undefined || isEmail(email) ? [] : [{ at, message: '`email` is no address', fix: 'Correct it, or leave it out.' }]
}

const emailOf = (keys: readonly ImportKey[]): string | undefined => keys.find(({ entry }) => entry.email !== undefined)?.entry.email

interface Naming {
  readonly id: TenantId
  readonly number: number
  readonly username: string | undefined
}

/** Ids first for those that bring one which fits and was never anybody's; then the others, in the order of the file. */
function nameAll(catalog: CatalogView, customers: readonly Customer[], inputs: ImportInputs): { readonly names: Map<Customer, Naming>; readonly faults: readonly ImportFault[] } {
  const { product } = inputs
  const kept = keptNumbers(catalog, customers, inputs)
  let next = Math.max(catalog.highestNumber(product.metadata.name), inputs.highestNumber, ...kept.values()) + 1
  const names = new Map<Customer, Naming>()
  for (const customer of customers) {
    const keeps = kept.get(customer)
    while (keeps === undefined && (catalog.pathOf(tenantId(product, next)) !== undefined || inputs.wasGiven(tenantId(product, next)))) next++
    const number = keeps ?? next++
    const wanted = customer.keys.find(({ entry }) => entry.username !== undefined)?.entry.username ?? (keeps === undefined ? customer.name : undefined)
    names.set(customer, { id: tenantId(product, number), number, username: wanted === undefined ? undefined : usernameFrom(wanted) })
  }
  return { names, faults: [...sameNames(customers), ...usernameFaults(catalog, names, product.metadata.name)] }
}

function keptNumbers(catalog: CatalogView, customers: readonly Customer[], { product, highestNumber, wasGiven }: ImportInputs): Map<Customer, number> {
  const furthest = Math.max(catalog.highestNumber(product.metadata.name), highestNumber, customers.length) + FURTHEST_KEPT_NUMBER
  const kept = new Map<number, Customer>()
  for (const customer of customers) {
    const id = customer.name as TenantId
    const number = parseTenantNumber(product, id)
    const isFree = number !== undefined && number <= furthest && catalog.pathOf(id) === undefined && !wasGiven(id)
    if (isFree && !kept.has(number)) kept.set(number, customer)
  }
  return new Map([...kept].map(([number, customer]) => [customer, number]))
}

function sameNames(customers: readonly Customer[]): ImportFault[] {
  const first = new Map<string, Customer>()
  return customers.flatMap((customer) => {
    const { at, name } = customer
    const before = first.get(name)
    if (before === undefined) first.set(name, customer)
    if (name === '' || before === undefined) return []
    return [{ at, message: `${before.at} has the same name and another data folder`, fix: 'Give one of them another name; several keys of one customer have one folder.' }]
  })
}

function usernameFaults(catalog: CatalogView, names: ReadonlyMap<Customer, Naming>, product: string): ImportFault[] {
  const first = new Map<string, Customer>()
  return [...names].flatMap(([customer, { username }]) => {
    if (username === undefined) return []
    const owner = catalog.tenantByUsername(product, username)
    const before = first.get(username)
    if (before === undefined) first.set(username, customer)
    else if (before.name === customer.name) return []
    if (owner === undefined && before === undefined) return []
    return [{ at: customer.at, message: `the user name ${username} belongs to ${owner ?? before!.at} already`, fix: 'Give one of them another name.' }]
  })
}

function importedTenant(customer: Customer, { id, number, username }: Naming, plan: Plan, inputs: ImportInputs): ImportedTenant {
  const { product, now, masterVersion } = inputs
  const { keys, nonce, folder, name } = customer
  const storageMb = keys.find(({ entry }) => entry.storageMb !== undefined)?.entry.storageMb
  const disabled = keys.every(({ entry }) => !entry.enabled)
  const derived: DerivedKeySpec = { id: 'k1', nonce, ...(masterVersion === 1 ? {} : { master: masterVersion }), createdAt: now }
  const brought = keys.map(({ digest, entry }, index): ImportedKeySpec => {
    const off = !entry.enabled && !disabled
    return { id: `k${index + 2}`, digest, name: BEFORE_KEYS_HAD_NAMES, createdAt: pastTime(entry.createdAt, now), ...(off && { revokedAt: now }) }
  })
  const spec: TenantSpec = {
    product: product.metadata.name,
    plan: plan.metadata.name,
    owner: { email: emailOf(keys) ?? placeholderEmail(id), ...(username === undefined ? {} : { username }) },
    state: disabled ? 'suspended' : 'active',
    ...(disabled && { stateReason: 'was not enabled where it was imported from' }),
    ...(storageMb !== undefined && storageMb !== plan.spec.limits.storageMb && { limits: { storageMb } }),
    keys: [derived, ...brought],
  }
  const limit = mergeLimits(plan.spec.limits, spec.limits).storageMb
  return { name, tenant: { kind: 'Tenant', metadata: { name: id }, spec }, path: tenantPath(product, number), number, folder, digests: keys.map(({ digest }) => digest), storageMb: typeof limit === 'number' ? limit : undefined }
}

/** A name that can never be anybody's (RFC 2606): SQ itself knows no addresses, and a tenant's file needs one. */
export function placeholderEmail(id: TenantId): string {
  return `${id}@imported.invalid`
}

function pastTime(text: string | undefined, now: Timestamp): Timestamp {
  const at = text === undefined ? NaN : Date.parse(text)
  return at <= Date.parse(now) && at >= 0 ? timestampOf(at) : now
}
