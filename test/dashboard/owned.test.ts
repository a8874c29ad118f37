/** Whose a tenant is: the proved address, in whatever letters, of the spec in force, and nothing else. */
import { expect, it } from 'vitest'
import type { Session } from '../../controller/accounts/port.ts'
import { createCatalog } from '../../controller/core/catalog.ts'
import { createOwned } from '../../controller/dashboard/owned.ts'
import { plan, platform, put, putBad, sharedProduct, tenant } from '../support/specs.ts'

const session = (email: string, emailVerified = true): Session => ({ account: 'a', email, emailVerified, csrf: 'c' })

function owned() {
  const catalog = createCatalog()
  catalog.apply([platform(), sharedProduct(), plan('standard'), tenant('user010', { owner: { email: 'Ada@Example.com' } }), tenant('user009', { owner: { email: 'ada@example.com' } }), tenant('user001', { owner: { email: 'ada@example.com' }, state: 'ended', endedAt: '2026-01-01T00:00:00Z' }), tenant('user002', { owner: { email: 'eve@example.com' } })].map((spec) => put(spec)))
  return { catalog, owned: createOwned(catalog) }
}

const ids = (tenants: readonly { metadata: { name: string } }[]) => tenants.map(({ metadata }) => metadata.name)

it('is the address\'s, the ended ones last', () => {
  expect(ids(owned().owned.all(session('ada@example.com')))).toEqual(['user009', 'user010', 'user001'])
  expect(ids(owned().owned.all(session('nobody@example.com')))).toEqual([])
})

it('is nobody\'s until the address is proved', () => {
  expect(owned().owned.all(session('ada@example.com', false))).toEqual([])
  expect(owned().owned.one(session('ada@example.com', false), 'user009')).toBeUndefined()
})

it('is found by its id only by its owner', () => {
  const { owned: mine } = owned()
  expect(mine.one(session('ada@example.com'), 'user010')?.metadata.name).toBe('user010')
  for (const id of ['user002', 'user999', '', '__proto__', 'user009 ']) expect(mine.one(session('ada@example.com'), id)).toBeUndefined()
})

it('stays its owner\'s while a file that is not valid names another', () => {
  const { catalog, owned: mine } = owned()
  catalog.apply([put(tenant('user009', { owner: { email: 'eve@example.com' }, plan: 'none' }))])
  expect(ids(mine.all(session('eve@example.com')))).toEqual(['user002'])
  expect(ids(mine.all(session('ada@example.com')))).toContain('user009')
  catalog.apply([putBad('Tenant', 'user010')])
  expect(ids(mine.all(session('ada@example.com')))).toContain('user010')
})
