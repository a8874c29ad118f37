import { describe, expect, it } from 'vitest'
import type { HeaderFacts } from '../../controller/core/header-facts.ts'
import { withOffer } from '../../controller/gateway/offers.ts'
import type { Refusal } from '../../controller/gateway/refusal.ts'
import { createRouteTable, type TableRoute } from '../../controller/gateway/route-table.ts'
import { LINKS, makeKey, routeFor, sqLike, startFixture, startUpstream } from './gateway-fixture.ts'
import type { Limits, TenantId } from '../../controller/core/specs.ts'

const month = (amount: number) => ({ amount, currency: 'usd', interval: 'month' as const })
const PLANS: HeaderFacts['plans'] = {
  small: { title: 'Small', price: month(1000), limits: { storageMb: 1000, requestsPerDay: 10 }, next: 'medium' },
  medium: { title: 'Medium', price: month(2000), limits: { storageMb: 1000, requestsPerDay: 100 }, next: 'large' },
  large: { title: 'Large', price: month(5000), limits: { storageMb: 'unlimited', requestsPerDay: 'unlimited' }, fairUse: { requestsPerDay: 5000 } },
}
const FACTS: HeaderFacts = { links: LINKS, products: {}, plans: PLANS }

function routeOn(plan: string, limits: Limits = {}): TableRoute {
  const table = createRouteTable()
  table.apply({ put: routeFor('user001', makeKey(), { plan, limits: { ...PLANS[plan]?.limits, ...limits } }) })
  return table.findTenant('user001' as TenantId)!
}

const refusal = (limit: string): Refusal => ({ status: 429, code: 'c', title: 't', detail: 'No more.', measured: { limit, value: 1 } })
const offered = (limit: string, route: TableRoute | undefined, facts = FACTS) => withOffer(refusal(limit), route, facts)

describe('a refusal that measures', () => {
  it('says which plan sets the limit, and what the next one that allows more costs', () => {
    expect(offered('requestsPerDay', routeOn('small'))).toMatchObject({ plan: 'small', upgrade: { plan: 'medium', title: 'Medium', price: month(2000), limit: 100 }, detail: 'No more. Medium allows 100 requests a day, for 20.00 USD a month: https://more.example' })
    expect(offered('requestsPerDay', routeOn('small', { requestsPerDay: 100 })).upgrade).toEqual({ plan: 'large', title: 'Large', price: month(5000), limit: 5000 })
    expect(offered('storageMb', routeOn('small'))).toMatchObject({ upgrade: { plan: 'large', limit: null }, detail: 'No more. Large allows any number of MB of storage, for 50.00 USD a month: https://more.example' })
  })

  it('offers nothing where no plan allows more, and says where to ask', () => {
    const { upgrade, detail } = offered('requestsPerDay', routeOn('large', { requestsPerDay: 9000 }))
    expect([upgrade, detail]).toEqual([undefined, 'No more. No plan on sale allows more; ask for it at https://help.example'])
    expect(offered('requestsPerDay', routeOn('small'), { ...FACTS, plans: {} }).detail).toBe('No more. A larger plan allows more: https://more.example')
  })

  it('is left as it is where no plan has to do with it', () => {
    for (const limit of ['phextBytes', 'coordinate']) expect(offered(limit, routeOn('small'))).toEqual(refusal(limit))
    expect(offered('requestsPerDay', undefined)).toEqual(refusal('requestsPerDay'))
  })

  it('comes to an end where plans follow each other in a circle', () => {
    const plans = { a: { title: 'A', limits: { requestsPerDay: 1 }, next: 'b' }, b: { title: 'B', limits: { requestsPerDay: 1 }, next: 'a' } }
    expect(offered('requestsPerDay', { ...routeOn('a'), limits: { requestsPerDay: 1 } }, { ...FACTS, plans }).upgrade).toBeUndefined()
  })

  it('tells the customer so', async () => {
    const key = makeKey()
    const upstream = await startUpstream(sqLike('ok'))
    const { url } = await startFixture([routeFor('user001', key, { plan: 'small', limits: { requestsPerDay: 1 }, upstream: { host: '127.0.0.1', port: upstream.port } })], {}, undefined, undefined, { plans: PLANS })
    await (await fetch(`${url}/api/v2/select`, { headers: { 'X-API-Key': key } })).text()
    const refused = await fetch(`${url}/api/v2/select`, { headers: { 'X-API-Key': key } })
    expect([refused.status, await refused.json()]).toMatchObject([429, { code: 'day-quota-used', limit: 'requestsPerDay', value: 1, used: 1, plan: 'small', link: 'https://more.example', upgrade: { plan: 'medium', title: 'Medium', price: month(2000), limit: 100 } }])
  })
})
