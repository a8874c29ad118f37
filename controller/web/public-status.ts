/** The state of the parts as everybody may know it: shares of instances that serve, no tenant named. Looks at the store now and then only. */
import type { CatalogView } from '../core/catalog-view.ts'
import type { TenantRecord } from '../store/tenant-records.ts'
import type { PartStatus } from './pages/public.ts'
import { onSite } from './pages/pages.ts'

export interface PublicStatusOptions {
  readonly catalog: () => CatalogView
  readonly records: () => Iterable<Pick<TenantRecord, 'product' | 'removedAt' | 'status'>>
  readonly nowMs: () => number
}

const KEPT_MS = 15_000
/** Out of service on purpose. */
const ON_PURPOSE: ReadonlySet<string> = new Set(['Suspended', 'Ended', 'Removed'])

/** What the machine lacks for a product's containers, by the reason that its instances give. An engine that answered before and does not now is no such case. */
const LACKING: Readonly<Record<string, string>> = {
  EngineMissing: 'Its instances wait for a container engine, which this machine does not have yet.',
  ImageMissing: 'Its instances wait for their container image, which is not built here yet.',
}

interface Share {
  serving: number
  wanted: number
  /** Instances that wait for a thing, by what to say of it. */
  readonly lacking: Map<string, number>
}

export function createPublicStatus({ catalog, records, nowMs }: PublicStatusOptions): () => readonly PartStatus[] {
  let kept: { readonly atMs: number; readonly parts: readonly PartStatus[] } | undefined
  return () => {
    if (kept === undefined || nowMs() - kept.atMs >= KEPT_MS) kept = { atMs: nowMs(), parts: partsOf(catalog(), shares(records())) }
    return kept.parts
  }
}

function shares(records: Iterable<Pick<TenantRecord, 'product' | 'removedAt' | 'status'>>): Map<string, Share> {
  const byProduct = new Map<string, Share>()
  for (const { product, removedAt, status } of records) {
    const ready = status.conditions.find(({ type }) => type === 'Ready')
    if (removedAt !== null || (ready?.status !== true && ON_PURPOSE.has(ready?.reason ?? ''))) continue
    const share = byProduct.get(product) ?? { serving: 0, wanted: 0, lacking: new Map() }
    share.wanted++
    const lack = LACKING[ready?.reason ?? '']
    if (ready?.status === true) share.serving++
    else if (lack !== undefined) share.lacking.set(lack, (share.lacking.get(lack) ?? 0) + 1)
    byProduct.set(product, share)
  }
  return byProduct
}

function partsOf(catalog: CatalogView, byProduct: ReadonlyMap<string, Share>): PartStatus[] {
  return [
    // Whoever reads this came through both.
    { title: 'Site and sign-up', text: 'This page, accounts, payments.', state: 'good' },
    { title: 'Gateway', text: 'Takes every request to an instance.', state: 'good' },
    ...onSite(catalog).map(({ metadata, spec }): PartStatus => ({ title: spec.title, ...instances(byProduct.get(metadata.name)) })),
  ]
}

function instances(share: Share | undefined): Pick<PartStatus, 'text' | 'state'> {
  if (share === undefined) return { text: 'Nobody has an instance yet.', state: 'good' }
  const waiting = [...share.lacking].find(([, count]) => count === share.wanted)
  if (waiting !== undefined) return { text: waiting[0], state: 'waiting' }
  const percent = Math.floor((share.serving / share.wanted) * 1000) / 10
  return { text: `${percent} % of instances serve.`, state: share.serving === share.wanted ? 'good' : share.serving === 0 ? 'down' : 'disturbed' }
}
