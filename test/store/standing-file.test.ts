/** The file of standing tenants: what was written is what is found, by every key, and a file that is not as written is none. */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Good } from '../../controller/core/catalog-entry.ts'
import type { ShardName } from '../../controller/core/placement.ts'
import type { Tenant, TenantId } from '../../controller/core/specs.ts'
import { ownerKey, uniqueKeys } from '../../controller/core/tenant-index.ts'
import { readStandingFile, writeStandingFile, type StandingFile, type StandingRow } from '../../controller/store/standing-file.ts'
import { put, tenant, userId } from '../support/specs.ts'
import { tempFolder } from '../support/temp.ts'

const NOBODY: ReadonlySet<TenantId> = new Set()
const digestOf = (id: TenantId): string => Buffer.from(id.padStart(12, '.')).subarray(-12).toString('base64')

function row(spec: Tenant): StandingRow {
  const { path: at, blob } = put(spec).file!
  return { good: { spec, path: at, blob }, shard: spec.spec.state === 'active' ? ('sq-000' as ShardName) : undefined, routeDigest: digestOf(spec.metadata.name) }
}

async function written(rows: readonly StandingRow[], gone = NOBODY): Promise<{ file: string; digest: string; read: StandingFile<{ note: string }> }> {
  const file = path.join(tempFolder('standing'), 'file')
  const { digest } = await writeStandingFile(file, rows, () => Promise.resolve({ gone, head: { note: 'über' } }))
  return { file, digest, read: (await readStandingFile<{ note: string }>(file, digest))! }
}

const specs = fc.uniqueArray(
  fc.record({ n: fc.integer({ min: 1, max: 99_999 }), name: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }), state: fc.constantFrom('active', 'suspended', 'ended'), plan: fc.constantFrom('founder', 'standard'), paid: fc.boolean() }),
  { selector: ({ n }) => n, maxLength: 60 },
).map((all) => all.map(({ n, name, state, plan, paid }) => tenant(userId(n), { state, plan, owner: { email: `${name}@example.com`, username: `${name}-${n}` }, ...(paid && { billing: { checkout: `cs_${n}`, subscription: `sub_${n}` } }) })))

test('every tenant is found by its id, path and unique values, and nobody else is', async () => {
  await fc.assert(
    fc.asyncProperty(specs, fc.func(fc.boolean()), async (all, leaves) => {
      const rows = all.map(row)
      const gone = new Set(rows.map(({ good }) => good.spec.metadata.name).filter(leaves))
      const { read } = await written(rows, gone)
      expect(read.head).toEqual({ note: 'über' })
      const stay = rows.filter(({ good }) => !gone.has(good.spec.metadata.name))
      expect(read.tenants.size).toBe(stay.length)
      expect([...read.tenants.goods()]).toEqual(stay.map(({ good }) => good))
      for (const { good, shard } of rows) expectFound(read, good, shard, !gone.has(good.spec.metadata.name))
      expect([...read.tenants.summaries()].map(({ tenant: id }) => id)).toEqual(stay.map(({ good }) => good.spec.metadata.name))
      for (const [owner, owned] of Map.groupBy(stay, ({ good }) => ownerKey(good.spec.spec.owner.email))) expect(read.tenants.ownedBy(owner).toSorted()).toEqual(owned.map(({ good }) => good.spec.metadata.name).toSorted())
      expect(read.tenants.ownedBy('nobody@example.com')).toEqual([])
      expect(read.tenants.has(userId(100_000))).toBe(false)
      expect(read.tenants.holder('username', 'sq/nobody')).toBeUndefined()
      expect(read.tenants.atPath('tenants/none.yaml')).toBeUndefined()
    }),
    { numRuns: 60 },
  )
})

function expectFound({ tenants, routeDigest }: StandingFile<unknown>, good: Good<Tenant>, shard: ShardName | undefined, stands: boolean): void {
  const { name } = good.spec.metadata
  expect(tenants.has(name)).toBe(stands)
  expect(tenants.good(name)).toEqual(stands ? good : undefined)
  expect(tenants.atPath(good.path)).toBe(stands ? name : undefined)
  expect(routeDigest(name)).toBe(stands ? digestOf(name) : undefined)
  const { product, plan, state } = good.spec.spec
  expect(tenants.summary(name)).toEqual(stands ? { tenant: name, product, plan, state, ...(shard !== undefined && { shard }) } : undefined)
  for (const [field, key] of uniqueKeys(good.spec)) expect(tenants.holder(field, key)).toBe(stands ? name : undefined)
}

test('a file with a byte changed, cut off or gone is no file', async () => {
  const { file, digest } = await written([tenant('user001'), tenant('user002')].map(row))
  const bytes = readFileSync(file)
  for (const at of [0, bytes.length >> 1, bytes.length - 1]) {
    const damaged = Buffer.from(bytes)
    damaged[at]! ^= 1
    writeFileSync(file, damaged)
    expect(await readStandingFile(file, digest)).toBeUndefined()
  }
  writeFileSync(file, bytes.subarray(0, -1))
  expect(await readStandingFile(file, digest)).toBeUndefined()
  expect(await readStandingFile(path.join(path.dirname(file), 'none'), digest)).toBeUndefined()
})

test('nothing is left of a file that could not be finished', async () => {
  const file = path.join(tempFolder('standing'), 'file')
  await expect(writeStandingFile(file, [row(tenant('user001'))], () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(() => readFileSync(file)).toThrow('ENOENT')
})
