/**
 * Makes one tenant as its desired state says: on a shard of a shared SQ or in a container of its own. Every step is idempotent
 * and ordered so that being killed between any two leaves nothing that the next run does not finish: the instance first, then
 * the route; when a tenant stops, the route first.
 */
import { DEDICATED_DATA } from './dedicated-phexts.ts'
import { tenantContainer, type ContainerSpec } from '../core/container.ts'
import type { DesiredTenant } from '../core/desired.ts'
import { ReconcileError } from '../core/outcome.ts'
import { routeOf, type Route } from '../core/route.ts'
import type { ContainerRun, Product } from '../core/specs.ts'
import { renderTenantsJson } from '../core/tenants-json.ts'
import type { Ensured, FieldDrift } from '../runtime/port.ts'
import { askSq } from '../sq/ask.ts'
import { adoptTenantData, placeTenantData } from './tenant-data.ts'
import type { ReconcileDependencies } from './ports.ts'

export interface Served {
  readonly repairs: readonly { readonly action: string; readonly drift: readonly FieldDrift[] }[]
}

const HEALTHY_WITHIN_MS = 15_000
const LOOK_AGAIN_MS = 1_000
const POLL_MS = 20
const ASK_TIMEOUT_MS = 2_000

/** `isChange`: something else is wanted than before, so what differs in a container is no drift. */
export async function serve(deps: ReconcileDependencies, desired: DesiredTenant, product: Product, isChange: boolean): Promise<Served> {
  if (desired.state !== 'active') return stopServing(deps, desired, product)
  if (desired.place.kind === 'container') return serveContainer(deps, desired, product, isChange)
  const { shard } = desired.place
  await placeTenantData(deps, desired.tenant, shard, product)
  const { port, repairs } = await deps.shards.sync(shard)
  await deps.routes.put([route(deps, desired, product, { host: '127.0.0.1', port })])
  return { repairs }
}

/** Suspended or ended: the gateway says so at once, then what runs is stopped. Data stays. */
async function stopServing(deps: ReconcileDependencies, desired: DesiredTenant, product: Product): Promise<Served> {
  await deps.routes.put([route(deps, desired, product, undefined)])
  if (desired.place.kind === 'shard') {
    const { repairs } = await deps.shards.sync(desired.place.shard)
    await adoptTenantData(deps, desired.tenant, desired.place.shard, product)
    return { repairs }
  }
  if (product.spec.run.kind === 'container') await deps.runtime.remove(desired.tenant, product.spec.run.stopGraceSeconds)
  return { repairs: [] }
}

async function serveContainer(deps: ReconcileDependencies, desired: DesiredTenant, product: Product, isChange: boolean): Promise<Served> {
  const { run } = product.spec
  if (run.kind !== 'container') throw new Error(`product ${product.metadata.name} has no container`)
  const { files, probeKey } = renderFiles(deps, desired, run)
  const spec = tenantContainer(run, desired, files)
  const { ports, repairs } = await untilHealthy(deps, spec, probeKey, () => ensureOrWait(deps, desired, product, spec))
  const port = ports[publicPort(run)]
  await deps.routes.put([route(deps, desired, product, port === undefined ? undefined : { host: '127.0.0.1', port })])
  return { repairs: repairs.map((ensured) => ({ action: `container-${ensured.action}`, drift: isChange ? [] : driftOf(deps, desired, ensured) })) }
}

/** A container that does not answer is looked at again: what said that something happens to it came before it happened. */
async function untilHealthy(deps: ReconcileDependencies, spec: ContainerSpec, probeKey: string | undefined, ensure: () => Promise<Ensured>): Promise<{ readonly ports: Readonly<Record<string, number>>; readonly repairs: readonly Ensured[] }> {
  const deadline = performance.now() + HEALTHY_WITHIN_MS
  const repairs: Ensured[] = []
  while (performance.now() < deadline) {
    const ensured = await ensure()
    if (ensured.action !== 'none') repairs.push(ensured)
    const { ports } = ensured.observed
    if (await answersSoon(deps, spec, ports, probeKey)) return { ports, repairs }
  }
  throw new ReconcileError({ kind: 'transient' }, 'NotHealthy', `The container of ${spec.name} runs but does not answer on its health path ${spec.health.path}. Look at its log with \`docker logs\`.`)
}

/** A container that had to be made although nothing else is wanted of a tenant in service was taken away by somebody. */
function driftOf({ records }: ReconcileDependencies, { tenant }: DesiredTenant, { action, drift }: Ensured): readonly FieldDrift[] {
  const record = records.get(tenant)
  const hadOne = record !== undefined && record.appliedBlob !== null && record.removedAt === null
  return action === 'created' && hadOne ? [{ field: 'container', wanted: 'present', found: 'absent' }] : drift
}

/** Without an engine the customer is told that the instance waits, instead of an unknown key. */
async function ensureOrWait(deps: ReconcileDependencies, desired: DesiredTenant, product: Product, spec: ContainerSpec): Promise<Ensured> {
  try {
    return await deps.runtime.ensure(spec)
  } catch (error) {
    const waiting = error instanceof ReconcileError ? error.reason : 'Progressing'
    await deps.routes.put([route(deps, desired, product, undefined, waiting)])
    throw error
  }
}

function route(deps: ReconcileDependencies, desired: DesiredTenant, product: Product, upstream: Route['upstream'], waiting?: string): Route {
  const trace = deps.timeline.traceOf(desired.tenant)
  return routeOf({
    desired,
    api: product.spec.api?.path,
    upstream,
    ...(waiting !== undefined && { waiting }),
    digestOf: (key) => deps.keyring.keyDigest(desired.tenant, key),
    instanceKey: () => deps.keyring.instanceKeyOf(desired.tenant),
    awaitingFirstUse: trace !== undefined && deps.timeline.at(trace, 'first-use') === undefined,
  })
}

/** The port that customers' requests go to: the one named http, otherwise the first. */
function publicPort(run: ContainerRun): string {
  return (run.ports.find(({ name }) => name === 'http') ?? run.ports[0])?.name ?? 'http'
}

function renderFiles({ keyring }: ReconcileDependencies, desired: DesiredTenant, run: ContainerRun): { readonly files: ContainerSpec['files']; readonly probeKey: string | undefined } {
  let probeKey: string | undefined
  const files = (run.files ?? []).map(({ name, content }) => {
    if (content === 'authorized-keys') return { name, text: authorizedKeys(desired) }
    const { storageMb } = desired.limits
    const rendered = renderTenantsJson(
      {
        instance: desired.tenant,
        maxTenants: 1,
        defaultQuotaMb: typeof storageMb === 'number' ? storageMb : null,
        members: [desired],
        dataFolder: () => DEDICATED_DATA,
        probeFolder: '/tmp/probe',
      },
      keyring,
    )
    probeKey = rendered.probeKey
    return { name, text: rendered.text }
  })
  return { files, probeKey }
}

function authorizedKeys({ profiles }: DesiredTenant): string {
  return profiles.flatMap(({ devices }) => devices.map(({ publicKey }) => `${publicKey}\n`)).join('')
}

/** Whether the container answers within a moment: an SQ with the probe key of exactly the rendered file, anything else on its health path. */
async function answersSoon({ runtime }: ReconcileDependencies, spec: ContainerSpec, ports: Readonly<Record<string, number>>, probeKey: string | undefined): Promise<boolean> {
  const port = ports[spec.health.port]
  if (port === undefined) throw new ReconcileError({ kind: 'transient' }, 'PortNotPublished', `The container of ${spec.name} publishes no port ${spec.health.port} yet.`)
  const deadline = performance.now() + LOOK_AGAIN_MS
  let reloaded = false
  while (performance.now() < deadline) {
    const path = probeKey === undefined ? spec.health.path : '/api/v2/version'
    const status = await askSq({ port, method: 'GET', path, timeoutMs: ASK_TIMEOUT_MS, ...(probeKey !== undefined && { key: probeKey }) }).then((answer) => answer.status, () => undefined)
    if (status !== undefined && (probeKey === undefined ? status < 500 : status === 200)) return true
    if (status === 401 && !reloaded && spec.reload) {
      reloaded = true
      await runtime.exec(spec.name, spec.reload)
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  return false
}
