import { describe, expect, it } from 'vitest'
import { checkPlan, checkProduct, checkTenant, type SharedView, type TenantContext } from '../../controller/core/check.ts'
import { closest, editDistance } from '../../controller/core/closest.ts'
import type { Finding } from '../../controller/core/problem.ts'
import type { Plan, Platform, Product, Tenant, TenantId } from '../../controller/core/specs.ts'
import { sshKeyFault } from '../../controller/core/ssh-public-key.ts'
import { parseTenantNumber, tenantId } from '../../controller/core/tenant-id.ts'
import { parseGood, parseTenant, PLAN, PLATFORM, PRODUCT, TENANT } from '../specs/support.ts'

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g'
const OTHER_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8h'

const sq: Product = { kind: 'Product', metadata: { name: 'sq' }, spec: { title: 'SQ', tenantId: { prefix: 'user', digits: 3 }, run: { kind: 'shared-sq', engine: 'process', tenantsPerShard: 500 } } }
const dedicated = parseGood('products/sq-dedicated.yaml', PRODUCT) as Product
const ssh: Product = { ...dedicated, metadata: { name: 'spoq' }, spec: { ...dedicated.spec, tenantId: { prefix: 'user', digits: 3 }, run: { ...dedicated.spec.run, files: [{ name: 'authorized-keys', content: 'authorized-keys' }] } as Product['spec']['run'] } }
const founder = parseGood('plans/sq-founder.yaml', PLAN) as Plan
const platform = parseGood('platform.yaml', PLATFORM) as Platform
const tenant = parseTenant(TENANT)

const withPlan = (spec: Partial<Plan['spec']>, name = 'sq-founder'): Plan => ({ ...founder, metadata: { name }, spec: { ...founder.spec, ...spec } })
const withTenant = (spec: Partial<Tenant['spec']>, name = 'user001'): Tenant => ({ ...tenant, metadata: { name: name as TenantId }, spec: { ...tenant.spec, ...spec } })

const CONTEXT: TenantContext = {
  platform,
  product: sq,
  plan: founder,
  productNames: () => ['sq', 'sq-dedicated'],
  planNames: () => ['sq-founder', 'sq-standard'],
  heldBy: () => undefined,
  slotRank: () => 0,
}

const say = (findings: readonly Finding[]): string[] => findings.map(({ field, message, fix }) => `${field}: ${message}. ${fix}`)
const ofTenant = (spec: Partial<Tenant['spec']>, context: Partial<TenantContext> = {}, name?: string): string[] => say(checkTenant(withTenant(spec, name), 'f', { ...CONTEXT, ...context }))

describe('a tenant in its context', () => {
  it('has nothing wrong', () => {
    expect(checkTenant(tenant, 'f', CONTEXT)).toEqual([])
  })

  const profile = (username: string, ...keys: string[]): NonNullable<Tenant['spec']['profiles']>[number] => ({ username, devices: keys.map((publicKey, i) => ({ name: `d${i}`, publicKey })) })
  const sshPlan = withPlan({ limits: { profiles: 1, devicesPerProfile: 1 } })
  const ended = { state: 'ended' } as const

  it.each<[string, string[], string[]]>([
    ['an unknown product', ofTenant({ product: 'sqq' }, { product: undefined }), ['spec.product: there is no product `sqq` in force. Did you mean `sq`?', 'spec.plan: `sq-founder` is a plan of sq, not of sqq. Choose a plan of sqq.']],
    ['an unknown plan', ofTenant({ plan: 'sq-fonder' }, { plan: undefined }), ['spec.plan: there is no plan `sq-fonder` in force. Did you mean `sq-founder`?']],
    ['a plan like no other', ofTenant({ plan: 'gold' }, { plan: undefined }), ['spec.plan: there is no plan `gold` in force. Known are: `sq-founder`, `sq-standard`.']],
    ['a plan of another product', ofTenant({}, { plan: withPlan({ product: 'spoq' }) }), ['spec.plan: `sq-founder` is a plan of spoq, not of sq. Choose a plan of sq.']],
    ['an id of no product', ofTenant({}, {}, 'user1'), ['metadata.name: `user1` is no id of sq, whose ids look like user001 or user327. Correct the name or the product.']],
    ['a username that is taken', ofTenant({}, { heldBy: (field) => (field === 'username' ? ('user009' as TenantId) : undefined) }), ['spec.owner.username: `ada` belongs to user009 already. Choose a name that no other tenant of sq has.']],
    ['a purchase that has its tenant', ofTenant({}, { heldBy: (field) => (field === 'checkout' ? ('user009' as TenantId) : undefined) }), ['spec.billing.checkout: `cs_test_A1` belongs to user009 already. One purchase makes one tenant: remove one of the two files, or correct the id.']],
    ['a subscription that has its tenant', ofTenant({}, { heldBy: (field) => (field === 'subscription' ? ('user009' as TenantId) : undefined) }), ['spec.billing.subscription: `sub_A1` belongs to user009 already. One subscription pays for one tenant: correct the id.']],
    ['the last slot', ofTenant({}, { plan: withPlan({ slots: 2 }), slotRank: () => 1 }), []],
    ['no slot left', ofTenant({}, { plan: withPlan({ slots: 2, successor: 'sq-standard' }), slotRank: () => 2 }), ['spec.plan: all 2 slots of sq-founder are taken. Use its successor sq-standard.']],
    ['ended, so without a slot', ofTenant({ ...ended, endedAt: '2026-03-01T00:00:00Z' }, { plan: withPlan({ slots: 2 }), slotRank: () => 2 }), []],
    ['ended at no time', ofTenant(ended), ['spec.endedAt: an ended tenant needs the time at which it ended. Add it: the retention of its data counts from there.']],
    ['active and ended', ofTenant({ endedAt: '2026-03-01T00:00:00Z' }), ['spec.endedAt: the tenant is active, so it has not ended. Remove endedAt, or set the state to ended.']],
    ['a limit over the bound', ofTenant({ limits: { storageMb: 100001 } }), ["spec.limits.storageMb: 100001 is over the platform's bound of 100000. Set at most 100000, or raise spec.bounds.storageMb in platform.yaml."]],
    ['two keys of one id', ofTenant({ keys: [tenant.spec.keys[0]!, tenant.spec.keys[0]!] }), ['spec.keys[1].id: `k1` is the id of another key of this tenant. Give every key an id of its own; ids of revoked keys stay taken.']],
    ['a key that ends before it begins', ofTenant({ keys: [{ ...tenant.spec.keys[0]!, expiresAt: '2026-02-12T13:14:59.999Z' }] }), ['spec.keys[0].expiresAt: the key would end before it was created, at 2026-02-12T13:15:00Z. Correct one of the two times.']],
    ['profiles without SSH', ofTenant({ profiles: [profile('ada')] }), ['spec.profiles: tenants of sq have no SSH log-in. Remove the profiles.']],
    ['profiles and devices inside the limits', ofTenant({ limits: {}, profiles: [profile('ada', KEY)] }, { product: ssh, plan: sshPlan }), []],
    ['too many profiles', ofTenant({ limits: {}, profiles: [profile('ada'), profile('bob')] }, { product: ssh, plan: sshPlan }), ['spec.profiles: there are 2 profiles, and the limit is 1. Remove profiles, or raise spec.limits.profiles.']],
    ['too many devices', ofTenant({ limits: {}, profiles: [profile('ada', KEY, OTHER_KEY)] }, { product: ssh, plan: sshPlan }), ['spec.profiles[0].devices: there are 2 devices, and the limit is 1. Remove devices, or raise spec.limits.devicesPerProfile.']],
    ['more devices by an own limit', ofTenant({ limits: { devicesPerProfile: 2 }, profiles: [profile('ada', KEY, OTHER_KEY)] }, { product: ssh, plan: sshPlan }), []],
    ['a profile twice', ofTenant({ limits: { profiles: 2 }, profiles: [profile('ada'), profile('ada')] }, { product: ssh, plan: sshPlan }), ['spec.profiles[1].username: `ada` is the name of another profile of this tenant. Choose another name.']],
    ['a device twice', ofTenant({ limits: { profiles: 2 }, profiles: [profile('ada', KEY), profile('bob', `${KEY} again`)] }, { product: ssh, plan: sshPlan }), ['spec.profiles[1].devices[0].publicKey: the same key is at spec.profiles[0].devices[0].publicKey. A key belongs to one device: remove one of the two.']],
    ['no public key', ofTenant({ limits: {}, profiles: [profile('ada', 'ssh-ed25519 AAAA')] }, { product: ssh, plan: sshPlan }), ['spec.profiles[0].devices[0].publicKey: this is no usable SSH public key: the base64 part is cut or of another type. Paste the one line of the .pub file.']],
  ])('%s', (_name, found, wanted) => {
    expect(found).toEqual(wanted)
  })
})

describe('SSH public keys', () => {
  it.each<[string, string, RegExp | undefined]>([
    ['a good one', KEY, undefined],
    ['with a comment', `${KEY} ada@phone, the new one`, undefined],
    ['a private key', '-----BEGIN OPENSSH PRIVATE KEY----- AAAA', /private key/],
    ['options before it', `command="x" ${KEY}`, /known key type/],
    ['a type that is broken by now', 'ssh-dss AAAAB3NzaC1kc3M=', /known key type/],
    ['another type inside', KEY.replace('ssh-ed25519 ', 'ssh-rsa '), /another type/],
    ['cut short', KEY.slice(0, -4), /cut/],
    ['no base64', 'ssh-ed25519 !!!!', /base64/],
    ['nothing', '', /known key type/],
  ])('%s', (_name, line, fault) => {
    if (fault === undefined) expect(sshKeyFault(line)).toBeUndefined()
    else expect(sshKeyFault(line)).toMatch(fault)
  })
})

const viewOf = (plans: readonly Plan[], products: readonly Product[], over: Platform | undefined = platform): SharedView => ({
  platform: over,
  product: (name) => products.find(({ metadata }) => metadata.name === name),
  products: () => products,
  plan: (name) => plans.find(({ metadata }) => metadata.name === name),
  plans: () => plans,
})

describe('a plan in its context', () => {
  const standard = withPlan({}, 'sq-standard')
  const check = (spec: Partial<Plan['spec']>, others: readonly Plan[] = [standard]): string[] => {
    const plan = withPlan(spec)
    return say(checkPlan(plan, 'f', viewOf([plan, ...others], [sq])))
  }
  it.each<[string, string[], string[]]>([
    ['nothing wrong', check({ slots: 5, successor: 'sq-standard' }), []],
    ['an unknown product', check({ product: 'qs' }), ['spec.product: there is no product `qs` in force. Known are: `sq`.']],
    ['an unknown successor', check({ slots: 5, successor: 'sq-standart' }), ['spec.successor: there is no plan `sq-standart` in force. Did you mean `sq-standard`?']],
    ['a successor without slots', check({ successor: 'sq-standard' }), ['spec.successor: a plan without slots never runs out, so nothing can follow it. Set slots, or remove successor.']],
    ['itself as successor', check({ slots: 5, successor: 'sq-founder' }), ['spec.successor: a plan cannot follow itself. Name another plan.']],
    ['a successor of another product', check({ slots: 5, successor: 'other' }, [withPlan({ product: 'spoq' }, 'other')]), ['spec.successor: `other` is a plan of spoq, not of sq. Name a plan of sq.']],
    ['a circle', check({ slots: 5, successor: 'b' }, [withPlan({ slots: 5, successor: 'c' }, 'b'), withPlan({ slots: 5, successor: 'sq-founder' }, 'c')]), ['spec.successor: the plans b, c and this one follow each other in a circle. Let the last one have no successor.']],
    ['a circle of others', check({ slots: 5, successor: 'b' }, [withPlan({ slots: 5, successor: 'c' }, 'b'), withPlan({ slots: 5, successor: 'b' }, 'c')]), []],
    ['limits and ceilings over the bounds', check({ limits: { storageMb: 100001 }, fairUse: { storageMb: 100002 } }), [
      "spec.limits.storageMb: 100001 is over the platform's bound of 100000. Set at most 100000, or raise spec.bounds.storageMb in platform.yaml.",
      "spec.fairUse.storageMb: 100002 is over the platform's bound of 100000. Set at most 100000, or raise spec.bounds.storageMb in platform.yaml.",
    ]],
  ])('%s', (_name, found, wanted) => {
    expect(found).toEqual(wanted)
  })
})

describe('a product in its context', () => {
  const check = (run: object, spec: Partial<Product['spec']> = {}): string[] => {
    const product = { ...dedicated, spec: { ...dedicated.spec, ...spec, run: { ...dedicated.spec.run, ...run } } } as Product
    return say(checkProduct(product, 'f', viewOf([], [sq, product])))
  }
  it.each<[string, string[], string[]]>([
    ['nothing wrong', check({}), []],
    ['a prefix that is taken', check({}, { tenantId: { prefix: 'user', digits: 3 } }), ['spec.tenantId.prefix: `user` is the prefix of sq already. Choose another: an id belongs to one product.']],
    ['ids that look like shards', check({}, { tenantId: { prefix: 'sq-', digits: 3 } }), ['spec.tenantId.prefix: ids with it look like the names of the shards of sq. Choose another prefix.']],
    ["an API at Tenantry's own address", check({}, { api: { path: '/api/stripe/' } }), ["spec.api.path: /api/stripe is Tenantry's own address. Choose another path, such as /api/v1/."]],
    ['an API below it', check({}, { api: { path: '/internal/x/' } }), ["spec.api.path: /internal is Tenantry's own address. Choose another path, such as /api/v1/."]],
    ['an API that holds it', check({}, { api: { path: '/api/' } }), ["spec.api.path: /api/stripe is Tenantry's own address. Choose another path, such as /api/v1/."]],
    ['an API that climbs', check({}, { api: { path: '/x/../api/' } }), ['spec.api.path: it has a `.` or `..` part. Write the plain path.']],
    ['health at no port', check({ health: { port: 'htp', path: '/' } }), ['spec.run.health.port: there is no port `htp` in spec.run.ports. Did you mean `http`?']],
    ['a port twice', check({ ports: [{ name: 'http', port: 1 }, { name: 'http', port: 1 }] }), ['spec.run.ports[1].name: `http` stands in the list twice. Make it unique.', 'spec.run.ports[1].port: `1` stands in the list twice. Make it unique.']],
    ['a volume twice', check({ volumes: [{ name: 'a', path: '/a' }, { name: 'a', path: '/b' }] }), ['spec.run.volumes[1].name: `a` stands in the list twice. Make it unique.']],
    ['a folder twice', check({ tmpfs: ['/data'] }), ['spec.run.tmpfs[0]: /data is mounted twice. Choose another folder.']],
    ["a folder that is Tenantry's", check({ tmpfs: ['/run/tenantry'] }), ['spec.run.tmpfs[0]: /run/tenantry is not free to mount on. Choose another folder.']],
    ["a volume that is Tenantry's", check({ volumes: [{ name: 'tenantry-files', path: '/a' }] }), ['spec.run.volumes[0].name: `tenantry-files` is the volume of rendered files. Choose another name.']],
  ])('%s', (_name, found, wanted) => {
    expect(found).toEqual(wanted)
  })

  it('shards that look like the ids of another product', () => {
    const other: Product = { ...dedicated, metadata: { name: 'eu' }, spec: { ...dedicated.spec, tenantId: { prefix: 'sq-', digits: 3 } } }
    expect(say(checkProduct(sq, 'f', viewOf([], [other, sq])))).toEqual(["metadata.name: the ids of eu look like the names of this product's shards. Choose another name."])
  })

  it('an SQ in docker without an image', () => {
    const product: Product = { ...sq, spec: { ...sq.spec, run: { kind: 'shared-sq', engine: 'docker', tenantsPerShard: 500 } } }
    expect(say(checkProduct(product, 'f', viewOf([], [product])))).toEqual(['spec.run.image: an SQ that runs in docker needs an image. Add image, as in `image: tenantry/sq:0.6.0`.'])
  })
})

describe('tenant ids', () => {
  it('count from 1 with at least so many digits', () => {
    expect([1, 42, 999, 1000, 123456].map((n) => tenantId(sq, n))).toEqual(['user001', 'user042', 'user999', 'user1000', 'user123456'])
  })
  it('have one number each', () => {
    for (const n of [1, 9, 10, 99, 100, 999, 1000, 100000]) expect(parseTenantNumber(sq, tenantId(sq, n))).toBe(n)
  })
  it.each(['user', 'user1', 'user01', 'user000', 'user0001', 'user01000', 'User001', 'user001x', 'xuser001', 'sqd001', '', 'user9999999999999999', 'user-01', 'user1e3'])('%s is none', (id) => {
    expect(parseTenantNumber(sq, id)).toBeUndefined()
  })
})

describe('did you mean', () => {
  it.each<[string, string | undefined]>([
    ['storageMB', 'storageMb'],
    ['storgaeMb', 'storageMb'],
    ['storage', 'storageMb'],
    ['cpu', 'cpus'],
    ['xyz', undefined],
    ['a', undefined],
    ['x'.repeat(1000), undefined],
  ])('%s: %s', (word, wanted) => {
    expect(closest(word, ['documents', 'storageMb', 'cpus'])).toBe(wanted)
  })
  it('counts swapped neighbours once', () => {
    expect([editDistance('', 'abc'), editDistance('abc', 'acb'), editDistance('kitten', 'sitting')]).toEqual([3, 1, 3])
  })
})
