import { describe, expect, it } from 'vitest'
import { diffTenant } from '../../controller/core/change-set.ts'
import { desireTenant } from '../../controller/core/desired.ts'
import { deriveInstanceKey } from '../../controller/core/keys.ts'
import { routeOf } from '../../controller/core/route.ts'
import type { Limits, Plan } from '../../controller/core/specs.ts'
import { decodeRecord, encodePut } from '../../controller/gateway/route-log.ts'
import { containerProduct, digest, mac, NOW, plan, sharedProduct, tenant } from '../support/specs.ts'

const underFairUse = (fairUse: Limits): Plan => ({ ...plan('standard'), spec: { ...plan('standard').spec, limits: { requestsPerMonth: 'unlimited' }, fairUse } })
const desired = (fairUse: Limits) => desireTenant(tenant('user001'), sharedProduct(), underFairUse(fairUse), NOW)!
const route = (of: ReturnType<typeof desired>) => routeOf({ desired: of, api: '/api/v2/', upstream: undefined, digestOf: ({ id }) => digest(id), instanceKey: () => deriveInstanceKey(mac, 1, of.tenant), awaitingFirstUse: false })

describe('a route', () => {
  it('carries the fair-use ceilings and the shard to the gateway', () => {
    const made = route(desired({ requestsPerMonth: 5 }))
    expect(made).toMatchObject({ fairUse: { requestsPerMonth: 5 }, shard: 'sq-000' })
    expect(decodeRecord(encodePut(made))).toEqual({ put: made })
    expect(route(desireTenant(tenant('ded001', { product: 'dedicated' }), containerProduct(), plan('standard'), NOW)!)).not.toHaveProperty('shard')
  })

  it('is written anew when only a ceiling of the plan changes', () => {
    expect(diffTenant(desired({ requestsPerMonth: 5 }), desired({ requestsPerMonth: 6 }))?.fields).toEqual([{ field: 'fairUse.requestsPerMonth', from: '5', to: '6' }])
    expect(diffTenant(desired({ requestsPerMonth: 5 }), desired({ requestsPerMonth: 5 }))).toBeUndefined()
  })

  it('never leads out of the folder of shards', () => {
    for (const shard of ['..', '../x', 'a/b', 'a\\b']) expect(decodeRecord(encodePut({ ...route(desired({})), shard: shard as never }))).toBeUndefined()
  })
})
