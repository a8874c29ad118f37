/** What everybody may know of the parts: shares, and what a machine does not have yet is no failure. */
import { expect, it } from 'vitest'
import { NEW_STATUS, withConditions } from '../../controller/core/status.ts'
import type { CatalogView } from '../../controller/core/catalog-view.ts'
import type { TenantRecord } from '../../controller/store/tenant-records.ts'
import { createPublicStatus } from '../../controller/web/public-status.ts'
import { sharedProduct } from '../support/specs.ts'

const SITE = { headline: 'SQ remembers', lead: 'For agents.', callToAction: 'Begin', accent: { light: '#4338ca', dark: '#a5a8ff' }, hosts: [] }
const CATALOG = { products: () => [sharedProduct({ site: SITE })] } as unknown as CatalogView

function record(reason: string): Pick<TenantRecord, 'product' | 'removedAt' | 'status'> {
  return { product: 'sq', removedAt: null, status: withConditions(NEW_STATUS, [{ type: 'Ready', status: reason === 'Serving', reason, message: '' }], '2026-03-01T00:00:00Z') }
}

it.each([
  ['everything serves', ['Serving', 'Serving'], 'good', '100 %'],
  ['some do not', ['Serving', 'Crashed'], 'disturbed', '50 %'],
  ['none does', ['Crashed', 'Crashed'], 'down', '0 %'],
  ['an engine that answered before does not now', ['EngineUnreachable'], 'down', '0 %'],
  ['all wait for an engine', ['EngineMissing', 'EngineMissing'], 'waiting', 'wait for a container engine'],
  ['all wait for an image', ['ImageMissing'], 'waiting', 'wait for their container image'],
  ['one waits and another is broken', ['EngineMissing', 'Crashed'], 'down', '0 %'],
  ['what is suspended counts for nothing', ['Suspended'], 'good', 'Nobody has an instance'],
])('%s', (_name, reasons, state, text) => {
  const records = reasons.map((reason) => record(reason))
  const part = createPublicStatus({ catalog: () => CATALOG, records: () => records, nowMs: () => 0 })().at(-1)!
  expect(part.state).toBe(state)
  expect(part.text).toContain(text)
})
