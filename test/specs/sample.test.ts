import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkPlan, checkProduct, checkTenant, type SharedView } from '../../controller/core/check.ts'
import { mergeLimits } from '../../controller/core/limits.ts'
import type { AnySpec, Kind, Plan, Platform, Product, Tenant, TenantId } from '../../controller/core/specs.ts'
import { parseTenantNumber } from '../../controller/core/tenant-id.ts'
import { isSpecPath } from '../../controller/specs/parse.ts'
import { stringifyTenant } from '../../controller/specs/write.ts'
import { parseGood } from './support.ts'

const ROOT = path.join(import.meta.dirname, '../../tenants')
const files = (readdirSync(ROOT, { recursive: true }) as string[]).map((file) => file.replaceAll(path.sep, '/')).filter(isSpecPath).sort()
const texts = new Map(files.map((file) => [file, readFileSync(path.join(ROOT, file), 'utf8')]))
const specs = new Map([...texts].map(([file, text]) => [file, parseGood(file, text)]))

const of = <T extends AnySpec>(kind: Kind): [string, T][] => [...specs].filter((entry): entry is [string, T] => entry[1].kind === kind)
const platform = of<Platform>('Platform')[0]![1]
const products = of<Product>('Product')
const plans = of<Plan>('Plan')
const tenants = of<Tenant>('Tenant')

const named = <T extends Product | Plan>(all: readonly [string, T][], name: string): T | undefined => all.find(([, { metadata }]) => metadata.name === name)?.[1]
const view: SharedView = { platform, product: (name) => named(products, name), products: () => products.map(([, spec]) => spec), plan: (name) => named(plans, name), plans: () => plans.map(([, spec]) => spec) }

const valueOf = { username: ({ spec }: Tenant) => spec.owner.username, checkout: ({ spec }: Tenant) => spec.billing?.checkout, subscription: ({ spec }: Tenant) => spec.billing?.subscription, digest: ({ spec }: Tenant) => spec.keys.find(({ digest }) => digest !== undefined)?.digest }

describe('the sample repository', () => {
  it('has nothing wrong', () => {
    const findings = [
      ...products.flatMap(([file, product]) => checkProduct(product, file, view)),
      ...plans.flatMap(([file, plan]) => checkPlan(plan, file, view)),
      ...tenants.flatMap(([file, tenant]) =>
        checkTenant(tenant, file, {
          platform,
          product: named(products, tenant.spec.product),
          plan: named(plans, tenant.spec.plan),
          productNames: () => [],
          planNames: () => [],
          heldBy: (field, value) => tenants.find(([, other]) => other !== tenant && other.spec.product === tenant.spec.product && valueOf[field](other) === value)?.[1].metadata.name as TenantId | undefined,
          slotRank: () => 0,
        }),
      ),
    ]
    expect(findings).toEqual([])
  })

  it('sells what the products cost', () => {
    const table = plans.map(([, { metadata, spec }]) => [metadata.name, spec.product, spec.prices.month?.amount, spec.prices.year?.amount, spec.limits.storageMb, spec.slots, spec.successor])
    expect(table).toEqual([
      ['contextlite-enterprise', 'contextlite', 49900, undefined, 1000, undefined, undefined],
      ['contextlite-free', 'contextlite', undefined, undefined, 1000, undefined, undefined],
      ['contextlite-pro', 'contextlite', 9900, undefined, 1000, undefined, undefined],
      ['contextlite-starter', 'contextlite', 4900, undefined, 1000, undefined, undefined],
      ['spoq', 'spoq', 1500, 15000, 10000, undefined, undefined],
      ['sq-dedicated-growth', 'sq-dedicated', 9900, undefined, 1000, undefined, undefined],
      ['sq-dedicated-starter', 'sq-dedicated', 2900, undefined, 25, undefined, undefined],
      ['sq-enterprise', 'sq', 5000, undefined, 5000, undefined, undefined],
      ['sq-founder', 'sq', 1000, 10000, 1000, 500, 'sq-standard'],
      ['sq-standard', 'sq', 1500, 15000, 1000, undefined, undefined],
    ])
    expect(named(plans, 'spoq')!.spec.limits).toEqual({ storageMb: 10000, memoryMb: 2048, cpus: 1, profiles: 2, devicesPerProfile: 2 })
    expect(mergeLimits(named(plans, 'contextlite-starter')!.spec.limits, undefined)).toMatchObject({ requestsPerMonth: 100000, documents: 10000, workspaces: 5, tokensPerQuery: 8000, requestsPerSecond: 50, burst: 500, dataRetentionDays: 90 })
  })

  it('has tenants of every product, each in its bucket and in canonical form', () => {
    expect(new Set(tenants.map(([, { spec }]) => spec.product))).toEqual(new Set(products.map(([, { metadata }]) => metadata.name)))
    for (const [file, tenant] of tenants) {
      const number = parseTenantNumber(named(products, tenant.spec.product)!, tenant.metadata.name)!
      expect(file).toBe(`tenants/${tenant.spec.product}/${String(Math.floor(number / 100)).padStart(3, '0')}/${tenant.metadata.name}.yaml`)
      expect(texts.get(file)).toBe(stringifyTenant(tenant))
    }
  })

  it('names the schema of every file, where editors find it', () => {
    for (const [file, text] of texts) {
      const schema = /^# yaml-language-server: \$schema=(\S+)$/m.exec(text)?.[1]
      expect(path.posix.join(path.posix.dirname(file), schema ?? ''), file).toBe(`schemas/${specs.get(file)!.kind.toLowerCase()}.schema.json`)
      expect(readFileSync(path.join(ROOT, path.dirname(file), schema!), 'utf8')).toContain('2020-12')
    }
  })

  it('belongs to nobody', () => {
    for (const [, { spec }] of tenants) expect(spec.owner.email).toMatch(/@example\.com$/)
  })
})
