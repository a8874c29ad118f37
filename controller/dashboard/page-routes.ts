/** The pages of one tenant: reads what each shows and hands it to the page. Nothing here changes anything. */
import type { FastifyRequest } from 'fastify'
import { keyView } from '../agent-keys/agent-keys.ts'
import { keyTree } from '../core/key-tree.ts'
import { isFullKey, liveKeys } from '../core/keys.ts'
import { limitsOf } from '../core/limits.ts'
import { hasPhexts } from '../core/phext-scope.ts'
import { isLimitName } from '../core/wording.ts'
import type { DerivedKeySpec } from '../core/specs.ts'
import type { RefusalRecord } from '../store/usage.ts'
import { HttpProblem } from '../web/http-problem.ts'
import { maskKey } from '../core/key-format.ts'
import { usageCsv } from './figures.ts'
import { accountPage, type AccountParts } from './pages/account.ts'
import { billingPage } from './pages/billing.ts'
import { connectPage, type ConnectParts } from './pages/connect.ts'
import { historyPage } from './pages/history.ts'
import { keysPage, type KeysParts } from './pages/keys.ts'
import { livePart, overviewPage } from './pages/overview.ts'
import { refusalPage, refusalsPage } from './pages/refusals.ts'
import { SPANS, usagePage, type Span } from './pages/usage.ts'
import type { LimitOrigin } from './past.ts'
import type { DashboardParts } from './parts.ts'
import type { Dashboard } from './routes.ts'
import type { ShownOnce } from './shown-once.ts'
import type { TenantView } from './view.ts'

const OVERVIEW_DAYS = 30
const YEAR_DAYS = 365
const MOST_REFUSALS = 50

export function addPages({ parts, page }: Dashboard, shown: ShownOnce): void {
  const { pages } = parts
  page('', (view, _request, reply) => pages.send(reply, overviewPage(view, { figures: figuresOf(parts, view, OVERVIEW_DAYS), endpoint: endpointOf(parts, view), refused: parts.refusals.of(view.tenant.metadata.name, 1).length, key: firstKey(parts, view) })))
  page('/live', (view, _request, reply) => pages.sendPart(reply, livePart(view, figuresOf(parts, view, 1))))
  page('/keys', async (view, request, reply) => {
    const keys = await readKeys(parts, view)
    const fresh = freshKey(parts, view, queryOf(request)['new'], shown)
    // Not sent as a secret page: without a referrer, browsers call its forms those of another site. The address itself holds no secret.
    return pages.send(reply, keysPage(view, { ...keys, ...(fresh && { fresh }) }))
  })
  page('/connect', (view, request, reply) => pages.send(reply, connectPage(view, readConnect(parts, view, queryOf(request)['key']))))
  page('/usage', (view, request, reply) => {
    const span = spanOf(queryOf(request)['days'])
    return pages.send(reply, usagePage(view, figuresOf(parts, view, span), span))
  })
  page('/usage.csv', (view, _request, reply) =>
    reply.headers({ 'content-type': 'text/csv; charset=utf-8', 'content-disposition': `attachment; filename="${view.tenant.metadata.name}-usage.csv"` }).send(usageCsv(figuresOf(parts, view, YEAR_DAYS).days)))
  page('/billing', (view, _request, reply) => {
    const { tenant, plan } = view
    const others = parts.specs.onSale(tenant.spec.product).filter(({ metadata }) => metadata.name !== tenant.spec.plan)
    return pages.send(reply, billingPage(view, { canManage: tenant.spec.billing?.customer !== undefined, limits: limitsOf(plan?.spec.limits ?? {}, tenant.spec), others }))
  })
  page('/history', async (view, _request, reply) => {
    const id = view.tenant.metadata.name
    return pages.send(reply, historyPage(view, { timeline: parts.timeline(id), past: await parts.past.of(id) }))
  })
  page('/account', (view, _request, reply) => pages.send(reply, accountPage(view, readAccount(parts, view))))
  addRefusals({ parts, page })
}

function addRefusals({ parts, page }: Pick<Dashboard, 'parts' | 'page'>): void {
  page('/refusals', (view, _request, reply) => parts.pages.send(reply, refusalsPage(view, parts.refusals.of(view.tenant.metadata.name, MOST_REFUSALS))))
  page('/refusals/:id', async (view, request, reply) => {
    const { id } = request.params as { readonly id: string }
    const refusal = parts.refusals.find(id)
    // Another tenant's refusal is as unknown as one that never was.
    if (refusal?.tenant !== view.tenant.metadata.name) throw new HttpProblem({ status: 404, code: 'refusal-unknown', title: 'Not found', detail: 'No such refusal of yours is remembered: the newest are, and of a flood the first of each second.' })
    return parts.pages.send(reply, refusalPage(view, refusal, await originOf(parts, refusal)))
  })
}

async function originOf({ past }: DashboardParts, { tenant, plan, key, at, measured }: RefusalRecord): Promise<LimitOrigin | undefined> {
  const limit = measured?.['limit']
  if (typeof limit !== 'string') return undefined
  const id = tenant as TenantView['tenant']['metadata']['name']
  if (limit.startsWith('access.')) return past.originOfKey(id, typeof measured?.['key'] === 'string' ? measured['key'] : key)
  return isLimitName(limit) ? past.originOf(id, plan, limit, at) : undefined
}

export async function readKeys({ keyring, useOf, actions }: DashboardParts, { tenant, product, now }: TenantView): Promise<KeysParts> {
  const { name: id } = tenant.metadata
  const use = useOf(id)
  return {
    keys: keyTree(tenant.spec.keys, now.toISOString()).map((node) => ({ ...keyView(keyring, id, node, use), depth: node.depth })),
    undoable: await actions.undoable(tenant),
    hasPhexts: hasPhexts(product?.spec.api?.path),
  }
}

function freshKey({ keyring }: DashboardParts, { tenant, session }: TenantView, id: unknown, shown: ShownOnce): KeysParts['fresh'] {
  const key = tenant.spec.keys.find((each) => each.id === id)
  if (key?.nonce === undefined || !shown.take(session.account, tenant.metadata.name, key.id)) return undefined
  return { id: key.id, text: keyring.keyOf(tenant.metadata.name, key) }
}

/** Keys that work and whose text can be made again, those that may everything first. */
export function showableKeys({ tenant, now }: Pick<TenantView, 'tenant' | 'now'>): DerivedKeySpec[] {
  const live = liveKeys(tenant.spec.keys, now.toISOString()).filter((key) => key.nonce !== undefined)
  return [...live.filter((key) => isFullKey(key)), ...live.filter((key) => !isFullKey(key))]
}

function firstKey({ keyring }: DashboardParts, view: TenantView): string | undefined {
  const [first] = showableKeys(view)
  return first && maskKey(keyring.keyOf(view.tenant.metadata.name, first))
}

function readConnect(parts: DashboardParts, view: TenantView, chosen: unknown): ConnectParts {
  const { tenant, now, product } = view
  const id = tenant.metadata.name
  return {
    endpoint: endpointOf(parts, view),
    keys: showableKeys(view).map((key) => ({ id: key.id, name: key.name ?? null, key: maskKey(parts.keyring.keyOf(id, key)) })),
    digestOnly: liveKeys(tenant.spec.keys, now.toISOString()).flatMap((key) => (key.digest === undefined ? [] : [key.id])),
    chosen: typeof chosen === 'string' ? chosen : undefined,
    speaksSq: hasPhexts(product?.spec.api?.path),
  }
}

export function readAccount(parts: DashboardParts, view: TenantView): AccountParts {
  const { tenant, plan, product } = view
  return {
    mayBeListed: plan?.spec.slots !== undefined && tenant.spec.state !== 'ended',
    endpoint: endpointOf(parts, view),
    speaksSq: hasPhexts(product?.spec.api?.path),
    canExport: showableKeys(view).some((key) => isFullKey(key)),
    retentionDays: parts.specs.platform?.spec.retentionDays ?? 30,
    dataUntil: parts.record(tenant.metadata.name)?.dataUntil ?? null,
  }
}

/** By its own host name where its product has such, otherwise where everybody's is. */
export function endpointOf({ publicUrl }: DashboardParts, { tenant, product }: Pick<TenantView, 'tenant' | 'product'>): string {
  const suffix = product?.spec.api?.hostSuffix
  return suffix === undefined ? publicUrl() : `https://${tenant.metadata.name}.${suffix}`
}

function figuresOf({ figures }: DashboardParts, { tenant, plan }: TenantView, span: number) {
  return figures(tenant, plan, span)
}

function spanOf(days: unknown): Span {
  return SPANS.find((span) => String(span) === days) ?? SPANS[0]
}

function queryOf({ query }: FastifyRequest): Readonly<Record<string, unknown>> {
  return query as Readonly<Record<string, unknown>>
}
