import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CatalogView } from '../../controller/core/catalog-view.ts'
import { allocatePurchases, isEmail, isUsername, tenantPath, type Purchase, type PurchaseOutcome } from '../../controller/core/purchase.ts'
import type { Plan, Tenant, TenantId } from '../../controller/core/specs.ts'
import { parseTenantNumber } from '../../controller/core/tenant-id.ts'
import { catalogOf, FOUNDER, plan, SQ, STANDARD } from '../hooks/stripe/repository-double.ts'

const NOW = '2026-02-12T13:15:00Z'
const MONTH = { amount: 1000, currency: 'usd' }

function purchase(n: number, changes: Partial<Purchase> = {}): Purchase {
  return { checkout: `cs_${n}`, customer: `cus_${n}`, subscription: `sub_${n}`, email: `buyer${n}@example.com`, plan: 'sq-founder', interval: 'month', price: MONTH, ...changes }
}

interface Given {
  readonly highest?: number
  readonly served?: ReadonlyMap<string, TenantId>
}

function allocate(catalog: CatalogView, purchases: readonly Purchase[], { highest = 0, served = new Map() }: Given = {}): PurchaseOutcome[] {
  const nonces = purchases.map((_, index) => String(index).padStart(32, '0'))
  return allocatePurchases(catalog, purchases, { highestNumber: () => highest, servedBy: (checkout) => served.get(checkout), now: NOW, nonces, masterVersion: 1 })
}

const made = (outcomes: readonly PurchaseOutcome[]): Tenant[] => outcomes.flatMap((outcome) => (outcome.kind === 'provision' ? [outcome.tenant] : []))
const ids = (outcomes: readonly PurchaseOutcome[]): string[] => made(outcomes).map(({ metadata }) => metadata.name)
const founderWith = (slots: number, changes: Partial<Plan['spec']> = {}): Plan => ({ ...FOUNDER, spec: { ...FOUNDER.spec, slots, ...changes } })

describe('a purchase', () => {
  it('becomes an active tenant with the next id, one key and what Stripe calls it', () => {
    const [outcome] = allocate(catalogOf({}, []), [purchase(1, { username: 'ada' })])
    expect(outcome).toEqual({
      kind: 'provision',
      number: 1,
      path: 'tenants/sq/000/user001.yaml',
      tenant: {
        kind: 'Tenant',
        metadata: { name: 'user001' },
        spec: {
          product: 'sq',
          plan: 'sq-founder',
          owner: { email: 'buyer1@example.com', username: 'ada' },
          state: 'active',
          keys: [{ id: 'k1', nonce: '0'.repeat(32), createdAt: NOW }],
          billing: { customer: 'cus_1', subscription: 'sub_1', checkout: 'cs_1', paidPlan: 'sq-founder', interval: 'month', price: MONTH },
        },
      },
    })
  })

  it('says under which master secret its key is made, where that is not the first', () => {
    const [outcome] = allocatePurchases(catalogOf({}, []), [purchase(1)], { highestNumber: () => 0, servedBy: () => undefined, now: NOW, nonces: ['0'.repeat(32)], masterVersion: 3 })
    expect(made([outcome!])[0]!.spec.keys[0]!.master).toBe(3)
  })

  it('gives a hundred ids a folder', () => {
    expect([1, 99, 100, 12345].map((n) => tenantPath(SQ, n))).toEqual(['tenants/sq/000/user001.yaml', 'tenants/sq/000/user099.yaml', 'tenants/sq/001/user100.yaml', 'tenants/sq/123/user12345.yaml'])
  })

  it('never gives a number again that the store or the repository ever had', () => {
    const [first] = made(allocate(catalogOf({}, []), [purchase(1)]))
    expect(ids(allocate(catalogOf({}, [first!]), [purchase(2)]))).toEqual(['user002'])
    expect(ids(allocate(catalogOf({}, [first!]), [purchase(2), purchase(3)], { highest: 41 }))).toEqual(['user042', 'user043'])
  })

  it('that has its tenant gets no second one: by session, by subscription, by what the store remembers', () => {
    const [first] = made(allocate(catalogOf({}, []), [purchase(1)]))
    const catalog = catalogOf({}, [first!])
    expect(allocate(catalog, [purchase(1)])).toEqual([{ kind: 'already', tenant: 'user001' }])
    expect(allocate(catalog, [purchase(1, { checkout: 'cs_other' })])).toEqual([{ kind: 'already', tenant: 'user001' }])
    expect(allocate(catalogOf({}, []), [purchase(1)], { served: new Map([['cs_1', 'user001' as TenantId]]) })).toEqual([{ kind: 'already', tenant: 'user001' }])
  })

  it('twice in one batch is one tenant', () => {
    expect(allocate(catalogOf({}, []), [purchase(1), purchase(1)]).map(({ kind }) => kind)).toEqual(['provision', 'already'])
    const oneOff: Purchase = { checkout: 'cs_1', email: 'buyer1@example.com', plan: 'sq-founder', interval: 'month', price: MONTH }
    expect(allocate(catalogOf({}, []), [oneOff, oneOff]).map(({ kind }) => kind)).toEqual(['provision', 'already'])
  })
})

describe('a user name', () => {
  it('that somebody has gets a number, also within one batch, and the outcome says so', () => {
    const outcomes = allocate(catalogOf({}, []), [purchase(1, { username: 'ada' }), purchase(2, { username: 'ada' }), purchase(3, { username: 'ada' })])
    expect(made(outcomes).map(({ spec }) => spec.owner.username)).toEqual(['ada', 'ada-2', 'ada-3'])
    expect(outcomes[1]).toMatchObject({ usernameWanted: 'ada' })
    expect(outcomes[0]).not.toHaveProperty('usernameWanted')
  })

  it('stays within its length when numbered', () => {
    const long = `${'a'.repeat(29)}-bc`
    expect(made(allocate(catalogOf({}, []), [purchase(1, { username: long }), purchase(2, { username: long })]))[1]!.spec.owner.username).toBe(`${'a'.repeat(29)}-2`)
  })

  it('that no file can hold is made into one, or left out', () => {
    const outcomes = allocate(catalogOf({}, []), [purchase(1, { username: 'Ada Lovelace!' }), purchase(2, { username: '42' }), purchase(3, { username: 'ada\nTrace: forged' })])
    expect(made(outcomes).map(({ spec }) => spec.owner.username)).toEqual(['ada-lovelace', undefined, 'ada-trace-forged'])
  })
})

describe('when the slots are gone', () => {
  const full = catalogOf({ plans: [founderWith(1), STANDARD] }, made(allocate(catalogOf({}, []), [purchase(1)])))

  it('the buyer gets the successor where it costs what was paid', () => {
    const samePrice = catalogOf({ plans: [founderWith(1), plan('sq-standard', { prices: { month: MONTH } })] }, [...full.tenants()])
    const [outcome] = allocate(samePrice, [purchase(2)])
    expect(outcome).toMatchObject({ kind: 'provision', soldAs: 'sq-founder', tenant: { spec: { plan: 'sq-standard' } } })
  })

  it('a person decides where the successor costs something else', () => {
    expect(allocate(full, [purchase(2)])).toEqual([{ kind: 'held', reason: 'slots-gone', detail: 'sq-founder is full and sq-standard costs 1500 usd a month; paid 1000 usd a month' }])
  })

  it('the successors are followed to the first with room, and a circle of full plans ends', () => {
    const chain = [founderWith(1), plan('sq-standard', { slots: 0, successor: 'sq-late' }), plan('sq-late', { prices: { month: MONTH } })]
    expect(allocate(catalogOf({ plans: chain }, [...full.tenants()]), [purchase(2)])).toMatchObject([{ kind: 'provision', tenant: { spec: { plan: 'sq-late' } } }])
    const circle = [founderWith(1), plan('sq-standard', { slots: 0, successor: 'sq-founder' })]
    expect(allocate(catalogOf({ plans: circle }, [...full.tenants()]), [purchase(2)])).toMatchObject([{ kind: 'held', reason: 'slots-gone' }])
  })

  it('an ended tenant gives its slot back', () => {
    const ended = [...full.tenants()].map((tenant) => ({ ...tenant, spec: { ...tenant.spec, state: 'ended' as const, endedAt: NOW } }))
    expect(ids(allocate(catalogOf({ plans: [founderWith(1)] }, ended), [purchase(2), purchase(3)]))).toEqual(['user002'])
  })
})

describe('a purchase is held for a person', () => {
  const cases: readonly [string, Purchase, CatalogView, string][] = [
    ['when no such plan exists', purchase(1, { plan: 'sq-gold' }), catalogOf({}, []), 'unknown-plan'],
    ['when the plan has no product', purchase(1), catalogOf({ products: [] }, []), 'unknown-product'],
    ['when less was paid', purchase(1, { price: { amount: 1, currency: 'usd' } }), catalogOf({}, []), 'price-differs'],
    ['when another currency was paid', purchase(1, { price: { amount: 1000, currency: 'jpy' } }), catalogOf({}, []), 'price-differs'],
    ['when a month was paid and a year is meant', purchase(1, { interval: 'year' }), catalogOf({}, []), 'price-differs'],
    ['when the e-mail address fits no file', purchase(1, { email: 'not an address' }), catalogOf({}, []), 'bad-email'],
  ]
  it.each(cases)('%s', (_, bought, catalog, reason) => {
    expect(allocate(catalog, [bought])).toMatchObject([{ kind: 'held', reason }])
  })

  it('and takes neither a number nor a slot', () => {
    const outcomes = allocate(catalogOf({ plans: [founderWith(1)] }, []), [purchase(1, { plan: 'sq-gold' }), purchase(2)])
    expect(outcomes).toMatchObject([{ kind: 'held' }, { kind: 'provision', tenant: { metadata: { name: 'user001' } } }])
  })
})

/** A stream of deliveries: any order, any repetition, cut into any batches, with numbers burnt by pushes that failed half-way. */
const streams = fc.record({
  slots: fc.integer({ min: 0, max: 12 }),
  successorAgrees: fc.boolean(),
  batches: fc.array(
    fc.record({
      buyers: fc.array(fc.record({ n: fc.integer({ min: 1, max: 20 }), username: fc.option(fc.constantFrom('ada', 'ada-2', 'Grace', '9', ''), { nil: undefined }) }), { minLength: 1, maxLength: 8 }),
      burnt: fc.integer({ min: 0, max: 2 }),
      lost: fc.boolean(),
    }),
    { maxLength: 8 },
  ),
})

describe('whatever order, repetition and batches', () => {
  it('each payment has exactly one tenant, ids are unique and rising, slots are never oversold, names are unique', () => {
    fc.assert(
      fc.property(streams, ({ slots, successorAgrees, batches }) => {
        const successor = plan('sq-standard', successorAgrees ? { prices: { month: MONTH } } : {})
        const plans = [founderWith(slots), successor]
        const tenants: Tenant[] = []
        const everGiven: number[] = []
        let highest = 0
        for (const { buyers, burnt, lost } of batches) {
          const catalog = catalogOf({ plans }, tenants)
          const purchases = buyers.map(({ n, username }) => purchase(n, username === undefined ? {} : { username }))
          const outcomes = allocate(catalog, purchases, { highest })
          // A pure function: asked again it says the same.
          expect(allocate(catalog, purchases, { highest })).toEqual(outcomes)
          const given = made(outcomes).map(({ metadata }) => parseTenantNumber(SQ, metadata.name)!)
          highest = Math.max(highest, ...given)
          if (lost) {
            highest += burnt
            continue
          }
          everGiven.push(...given)
          tenants.push(...made(outcomes))
        }
        expect(everGiven).toEqual([...new Set(everGiven)].sort((a, b) => a - b))
        const checkouts = tenants.map(({ spec }) => spec.billing!.checkout)
        expect(new Set(checkouts).size).toBe(checkouts.length)
        expect(tenants.filter(({ spec }) => spec.plan === 'sq-founder').length).toBeLessThanOrEqual(slots)
        const names = tenants.flatMap(({ spec }) => spec.owner.username ?? [])
        expect(new Set(names).size).toBe(names.length)
        expect(names.every(isUsername)).toBe(true)
        const buyers = new Set(batches.filter(({ lost }) => !lost).flatMap((batch) => batch.buyers.map(({ n }) => `cs_${n}`)))
        expect(tenants.length).toBe(successorAgrees ? buyers.size : Math.min(slots, buyers.size))
      }),
      { numRuns: 300 },
    )
  })

  it('no text of a buyer breaks it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.string({ unit: 'binary', maxLength: 60 }), (username, email) => {
        const [outcome] = allocate(catalogOf({}, []), [purchase(1, { username, email })])
        expect(outcome!.kind).toBe(isEmail(email) ? 'provision' : 'held')
        for (const { spec } of made([outcome!])) expect(spec.owner.username === undefined || isUsername(spec.owner.username)).toBe(true)
      }),
    )
  })
})
