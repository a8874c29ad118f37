/** Tenants as fast-check makes them: everything that the schema allows, the awkward parts above all. */
import fc from 'fast-check'
import type { Tenant } from '../../controller/core/specs.ts'

const name = fc.oneof(fc.stringMatching(/^[a-z](?:[a-z0-9-]{0,10}[a-z0-9])?$/), fc.constantFrom('null', 'true', 'no', 'e1', 'n', 'y', 'yes'))
const hex = fc.oneof(fc.stringMatching(/^[0-9a-f]{32}$/), fc.stringMatching(/^[0-9]{32}$/), fc.stringMatching(/^[0-9]{10}e[0-9]{21}$/), fc.constant(`0${'0'.repeat(31)}`))
const time = fc.date({ min: new Date('1970-01-01'), max: new Date('2099-01-01'), noInvalidDate: true }).map((date) => (date.getTime() % 2 === 0 ? date.toISOString() : `${date.toISOString().slice(0, 19)}Z`))
const awkward = fc.constantFrom('null', 'true', '~', '- a', 'a: b', 'a #b', '#', "it's", '"quoted"', '*a', '&a', '!a', '%a', '0x1f', '1e3', '.inf', ' leading', 'trailing ', '[a]', '{a}', 'ünï', '日本', '🙂', 'a\\b', '---', '...', ': ', '?', '? a', '|', '>', '@a', '`a`', 'a,b', '2026-02-12', '1_000', '=', '<<')
const plain = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((text) => !/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff\ufffd]/.test(text))
const text = fc.oneof(awkward, plain)
const limit = fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.constant('unlimited' as const))
const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined })

/** Drops what is undefined, as a spec read from a file has it. */
const present = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(present)
    : typeof value === 'object' && value !== null
      ? Object.fromEntries(Object.entries(value).flatMap(([key, one]) => (one === undefined ? [] : [[key, present(one)]])))
      : value

const access = fc.record({ readOnly: fc.constant(true), phexts: fc.uniqueArray(fc.constantFrom('', 'notes', 'a b', 'null', 'ünï', '1e5', '~'), { minLength: 1, maxLength: 3 }), requestsPerSecond: fc.integer({ min: 1, max: 100 }), requests: fc.integer({ min: 1, max: 10_000 }) }, { requiredKeys: [] }).filter((one) => Object.keys(one).length > 0)
const origin = fc.oneof(fc.record({ nonce: hex, master: optional(fc.integer({ min: 1, max: 9 })) }), fc.record({ digest: fc.oneof(fc.stringMatching(/^[0-9a-f]{64}$/), fc.stringMatching(/^[0-9]{64}$/), fc.stringMatching(/^[0-9]{20}e[0-9]{43}$/)) }))
const key = fc.record({ id: name, origin, name: optional(text), parent: optional(name), access: optional(access), createdAt: time, expiresAt: optional(time), revokedAt: optional(time) }).map(({ origin: made, ...rest }) => ({ ...made, ...rest }))
const device = fc.record({ name: text, publicKey: text, addedAt: optional(time) })

const billing = fc.record({
  customer: fc.constant('cus_1e5'),
  subscription: optional(fc.constant('sub_X')),
  paidPlan: optional(fc.constantFrom('sq-founder', 'null')),
  checkout: optional(fc.constant('cs_test_0x1')),
  interval: optional(fc.constantFrom('month', 'year')),
  quantity: optional(fc.integer({ min: 2, max: 1000 })),
  price: optional(fc.record({ amount: fc.integer({ min: 0, max: 100_000 }), currency: fc.constantFrom('usd', 'nok') })),
  status: optional(fc.constantFrom('active', 'past_due', 'null', 'true')),
  graceUntil: optional(time),
  trialEndsAt: optional(time),
  cancelAt: optional(time),
})

export const limits = fc.record(
  { storageMb: limit, documents: limit, requestsPerSecond: limit, burst: limit, memoryMb: fc.integer({ min: 16, max: 4096 }), cpus: fc.constantFrom(0.5, 1, 2.25), profiles: fc.integer({ min: 0, max: 16 }) },
  { requiredKeys: [] },
)

export const tenants: fc.Arbitrary<Tenant> = fc
  .record({
    kind: fc.constant('Tenant'),
    metadata: fc.record({ name }),
    spec: fc.record({
      product: name,
      plan: name,
      owner: fc.record({ email: fc.constantFrom('ada@example.com', 'a+b@example.com', "o'neil@example.com", '123@4.5', 'ü@exämple.com', '*@x', '-a@b'), username: optional(name), listedAs: optional(text) }),
      state: fc.constantFrom('active', 'suspended', 'ended'),
      stateReason: optional(text),
      stateBy: optional(fc.constantFrom('billing', 'trial')),
      endedAt: optional(time),
      limits: optional(limits),
      keys: fc.array(key, { maxLength: 3 }),
      billing: optional(billing),
      trial: optional(fc.record({ endsAt: time, claimedAt: optional(time) })),
      hold: optional(fc.record({ until: time, reason: text, by: text })),
      profiles: optional(fc.array(fc.record({ username: name, devices: fc.array(device, { maxLength: 2 }) }), { maxLength: 2 })),
    }),
  })
  .map((tenant) => present(tenant) as Tenant)
