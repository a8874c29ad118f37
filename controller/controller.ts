/**
 * Joins the parts to the running controller: which adapter stands behind which port is decided here and nowhere else. Read it
 * from top to bottom to see what the program consists of.
 */
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, unlinkSync } from 'node:fs'
import { createConnection } from 'node:net'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import type { Logger } from 'pino'
import { composeAccounts, type AccountParts } from './account-parts.ts'
import { createAgentKeys } from './agent-keys/agent-keys.ts'
import { createKeyChanges, type KeyChanges } from './agent-keys/change-batch.ts'
import { createKeyRoutes } from './agent-keys/routes.ts'
import { createUntilServed } from './agent-keys/served.ts'
import { readKeyUse } from './agent-keys/use.ts'
import { composeDashboard } from './dashboard/compose.ts'
import { headerFactsOf } from './core/header-facts.ts'
import { deriveProbeKey } from './core/keys.ts'
import type { ShardName } from './core/placement.ts'
import type { Product, TenantId } from './core/specs.ts'
import { renderTenantsJson } from './core/tenants-json.ts'
import { routesFolder, webSocketPath } from './gateway/sockets.ts'
import { createRouteWriter, type LoadedRoutes } from './gateway/route-writer.ts'
import { adminTokenOf, type Installation } from './installation.ts'
import { startMails } from './mails.ts'
import type { Machine } from './machine.ts'
import { startMetering } from './metering.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { startPayments, type Payments } from './payments.ts'
import { createDedicatedPhexts } from './reconcile/dedicated-phexts.ts'
import { createExecutor } from './reconcile/executor.ts'
import { createFormerTenant, createLastApplied } from './reconcile/last-applied.ts'
import { createLimitInForce } from './reconcile/limit-in-force.ts'
import { createLoop, type Loop } from './reconcile/loop.ts'
import { createStandingKeeper, type StandingKeeper } from './reconcile/standing-keeper.ts'
import type { ReconcileDependencies } from './reconcile/ports.ts'
import { createWorld, type World } from './reconcile/world.ts'
import { connectEngine } from './runtime/docker/engine.ts'
import { createDockerRuntime } from './runtime/docker/runtime.ts'
import type { ContainerRuntime } from './runtime/port.ts'
import { createGatewayProcess, type GatewayProcess, type GatewayStatus } from './runtime/process/gateway-process.ts'
import { createSqProcesses, type SqProcesses } from './runtime/process/sq-processes.ts'
import { createContainerInstances } from './sq/container-instances.ts'
import { createShardEngines } from './sq/engines.ts'
import { shardFolders, type ShardFolders } from './sq/files.ts'
import { shardMembers, shardProduct } from './sq/members.ts'
import { createShards, type Shards } from './sq/shards.ts'
import { createSpecParser, type SpecParser } from './specs/parse.ts'
import { createInbox } from './store/inbox.ts'
import { createTimeline } from './store/timeline.ts'
import type { StripeConnection } from './stripe-connection.ts'
import { createAdmin } from './web/admin.ts'
import { createAssets } from './web/assets.ts'
import { createConsole } from './web/console.ts'
import { composeSite } from './site-parts.ts'
import { createPhextListing } from './web/phext-listing.ts'
import { createSite } from './web/site.ts'
import { createStatusReader, type Overview } from './web/status-reader.ts'

export interface ControllerOptions {
  readonly installation: Installation
  readonly machine: Machine
  readonly log: Logger
  readonly sqCommand: readonly [string, ...string[]]
  readonly gatewayCommand: readonly [string, ...string[]]
  readonly gatewayVersion: string
  readonly stripe: StripeConnection
}

export interface Controller {
  readonly loop: Loop
  readonly payments: Payments
  readonly gateway: GatewayStatus
  readonly adminUrl: string
  readonly runtime: ContainerRuntime
  overview(): Overview
  poke(): void
  /** Takes no more work and lets what runs end. The gateway and SQ go on. */
  drain(): Promise<void>
  /** Ends the gateway and every SQ process as well. */
  stopDataPath(): Promise<void>
}

const CONCURRENCY = 16
const ADOPTED_CHECK_MS = 1_000
const GATEWAY_CHECK_MS = 1_000
const KEY_SERVED_WITHIN_MS = 5_000

export async function startController(options: ControllerOptions): Promise<Controller> {
  const { installation, machine, log } = options
  const { settings, stores, source } = installation
  const folders = shardFolders(settings.home)
  const runtime = createDockerRuntime({ docker: connectEngine(settings.dockerHost), installation: installation.id, now: machine.now, log })
  await refuseSecondController(settings.home)
  const routes = createRouteWriter(routesFolder(settings.home), { facts: () => headerFactsOf(installation.catalog), now: machine.now })
  const world = createWorld({ catalog: installation.catalog, deletions: stores.deletions, limitInForce: createLimitInForce(stores.meta), lastApplied: createLastApplied(stores, installation.catalog), former: createFormerTenant(stores) })
  /** Parts that refer to each other meet here once both are made. */
  const late: { payments?: Payments; loop?: Loop; gateway?: GatewayStatus; keeper?: StandingKeeper; routesChanged: LoadedRoutes['changed'] } = { routesChanged: 'all' }
  const inbox = createInbox(stores.durable, { now: machine.now, mark: createTimeline(stores.durable).mark })
  const metrics: Metrics = createMetrics({ catalog: installation.catalog, world, loop: () => late.loop?.state, findings: () => installation.catalog.findings().length, inbox: () => inboxCounts(inbox.counts()), now: machine.now })
  const processes = createSqProcesses({ command: options.sqCommand, folders, environment: childEnvironment(machine), now: machine.now, chance: machine.chance, kill: machine.kill, onExit: (shard) => late.loop?.hint(shard) })
  const shards = composeShards(installation, { world, folders, runtime, processes, user: machine.user, onMoved: (shard) => late.loop?.moved(shard), onReload: metrics.reload })
  const deps: ReconcileDependencies = { ...stores, catalog: installation.catalog, world, shards, folders, runtime, routes, keyring: installation.keyring, observer: metrics.observer, log, now: machine.now, chance: machine.chance, standing: () => source.standing && { ...source.standing, routesChanged: late.routesChanged } }

  const loop = createLoop({
    deps,
    source,
    executor: createExecutor(deps),
    concurrency: CONCURRENCY,
    resyncMs: settings.resyncMs,
    onPass: metrics.pass,
    onResync: metrics.resync,
    onSettled: () => void late.keeper?.consider(),
    onRevision(revision) {
      stores.meta.set('revision', revision)
      void routes.refresh().catch((err: unknown) => log.error({ err }, 'the gateway does not know the new links, products and plans'))
      late.payments?.poke('tip')
    },
  })
  late.loop = loop
  const keeper = (late.keeper = createStandingKeeper({ ...installation.standing, deps: { ...deps, meta: stores.meta }, source, routes, loose: stores.loose, isBusy: loop.isBusy }))

  let publicUrl = settings.publicUrl ?? ''
  const payments = (late.payments = startPayments({ installation, inbox, stripe: options.stripe, machine, log, registry: metrics.registry, publicUrl: () => publicUrl }))
  const mails = startMails({ installation, machine, log, registry: metrics.registry, publicUrl: () => publicUrl })
  const keys = composeKeys(installation, machine, log, () => late.gateway?.port)
  const parts = composeSite({ installation, payments, accounts: () => accounts, stripe: options.stripe, publicUrl: () => publicUrl, now: machine.now })
  const accounts: AccountParts = composeAccounts({ installation, machine, outbox: mails.outbox, pages: parts.pages, payments, publicUrl: () => publicUrl, gatewayPort: () => late.gateway?.port, log })
  const dashboard = composeDashboard({ installation, machine, stripe: options.stripe, sessions: accounts.sessions, pages: parts.pages, changes: keys.changes, untilServed: keys.untilServed, portalUrl: payments.portalUrl, resume: payments.resume, publicUrl: () => publicUrl, gatewayUrl: () => late.gateway && gatewayUrlOf(settings.host, late.gateway.port), log })
  const site = await listenSite(settings.home, createSite({ routes: [...payments.routes, keys.routes, ...parts.routes, ...accounts.routes, dashboard, mails.routes, createPhextListing(createDedicatedPhexts(world, runtime), log)], pages: parts.pages, firstUse: firstUse(deps), log }))
  const gatewayProcess = createGatewayProcess({ home: settings.home, host: settings.host, port: settings.port, workers: settings.gatewayWorkers, readCacheMb: settings.readCacheMb, trustedProxies: settings.trustedProxies, version: options.gatewayVersion, command: options.gatewayCommand, environment: childEnvironment(machine) })
  // Customers and Stripe are served as soon as the gateway is up, which is a process of its own, and not only when a large repository is read.
  const read = source.sync().catch((err: unknown) => log.error({ err }, 'the repository cannot be taken in yet'))
  const gateway = (late.gateway = await gatewayProcess.ensure())
  publicUrl = settings.publicUrl ?? `http://localhost:${gateway.port}`
  const status = createStatusReader(stores)
  const admin = createAdmin({ token: adminTokenOf(settings), registry: metrics.registry, loop, status, parts: [payments.admin], console: createConsole({ token: adminTokenOf(settings), status, billing: payments.billingOverview, assets: createAssets() }), log })
  const adminUrl = await admin.listen({ port: settings.adminPort, host: '127.0.0.1' })

  await read
  late.routesChanged = (await routes.load(source.standing?.routes)).changed
  const stopHints = await startHints({ installation, loop, runtime, processes, gatewayProcess, log })
  loop.poke()
  mails.watch()
  const metering = startMetering({ installation, stripe: options.stripe, machine, log, registry: metrics.registry })

  async function drain(): Promise<void> {
    await stopHints()
    await Promise.all([site.close(), admin.close()])
    await Promise.all([payments.close(), metering.close()])
    await Promise.all([loop.close(), keeper.close(), mails.close()])
    await routes.close()
  }

  return { loop, payments, gateway, adminUrl, runtime, overview: status.overview, poke: loop.poke, drain, stopDataPath: () => Promise.all([gatewayProcess.stop(), processes.stopAll()]).then(() => undefined) }
}

/** Everything that may say "look": all of them are hints, the timer in the loop is the truth. */
async function startHints({ installation, loop, runtime, processes, gatewayProcess, log }: { installation: Installation; loop: Loop; runtime: ContainerRuntime; processes: SqProcesses; gatewayProcess: GatewayProcess; log: Logger }): Promise<() => Promise<void>> {
  const stopWatch = await installation.repository.watch(loop.poke)
  const stopEvents = runtime.watch((name) => loop.hint(name as TenantId))
  const adopted = setInterval(() => void processes.checkAdopted().catch((err: unknown) => log.warn({ err }, 'the process table could not be read')), ADOPTED_CHECK_MS)
  const gateway = setInterval(() => void gatewayProcess.ensure().then(({ action }) => action === 'started' && log.warn('the gateway had ended and was started again')).catch((err: unknown) => log.error({ err }, 'the gateway does not run')), GATEWAY_CHECK_MS)
  return async () => {
    clearInterval(adopted)
    clearInterval(gateway)
    stopEvents()
    await stopWatch()
  }
}

/** Keys that agents make from their own, and owners on the dashboard: commits, and an answer once the gateway serves them. */
function composeKeys(installation: Installation, { now }: Machine, log: Logger, port: () => number | undefined): { readonly routes: FastifyPluginAsync; readonly changes: KeyChanges; readonly untilServed: (key: string) => Promise<boolean> } {
  const { repository, writer, catalog, keyring, settings } = installation
  let parser: SpecParser | undefined
  const changes = createKeyChanges({ repository, writer, catalog, parser: () => (parser ??= createSpecParser()) })
  const keys = createAgentKeys({ changes, tenant: (id) => catalog.tenant(id), keyring, useOf: (tenant) => readKeyUse(settings.home, tenant), newNonce: () => randomBytes(16).toString('hex'), now })
  const untilServed = createUntilServed({ host: settings.host, port, limitMs: KEY_SERVED_WITHIN_MS })
  return { routes: createKeyRoutes({ keys, untilServed, now, log }), changes, untilServed }
}

function composeShards(installation: Installation, parts: { world: World; folders: ShardFolders; runtime: ContainerRuntime; processes: SqProcesses; user: string; onMoved: (shard: ShardName) => void; onReload: (seconds: number) => void }): Shards {
  const { catalog, keyring } = installation
  const { world, folders, runtime, processes, user } = parts
  const instances = createShardEngines({
    folders,
    processes,
    containers: (product, image) => createContainerInstances({ runtime, folders, product, image, user }),
    productOf(shard) {
      const { metadata, spec } = shardProduct(catalog, shard).product
      if (spec.run.kind !== 'shared-sq') throw new Error(`shard ${shard} belongs to a product without a shared SQ`)
      return { name: metadata.name, run: spec.run }
    },
  })
  return createShards({
    folders,
    instances,
    onMoved: parts.onMoved,
    onReload: parts.onReload,
    probeKeyOf: (about) => deriveProbeKey(keyring.mac, keyring.masterVersion, about),
    render(shard) {
      const { product, index } = shardProduct(catalog, shard)
      return renderTenantsJson({ instance: shard, ...shardSizes(product, catalog), members: shardMembers(world, product, index), dataFolder: (id) => folders.data(shard, id), probeFolder: folders.probe(shard) }, keyring)
    },
  })
}

/** What tenants.json says of the product: the brief's `max_tenants` and `default_quota_mb`, the quota of its cheapest plan. */
function shardSizes(product: Product, catalog: Installation['catalog']): { maxTenants: number; defaultQuotaMb: number | null } {
  const plans = [...catalog.plans()].filter(({ spec }) => spec.product === product.metadata.name)
  const cheapest = plans.sort((a, b) => (a.spec.prices.month?.amount ?? Infinity) - (b.spec.prices.month?.amount ?? Infinity))[0]
  const quota = cheapest?.spec.limits.storageMb
  return { maxTenants: product.spec.run.kind === 'shared-sq' ? product.spec.run.tenantsPerShard : 1, defaultQuotaMb: typeof quota === 'number' ? quota : null }
}

/** The gateway reports a tenant's first successful request: the last step of its purchase's timeline. */
function firstUse({ timeline, world, now, log }: ReconcileDependencies) {
  return (tenant: TenantId, at: string): void => {
    const trace = timeline.traceOf(tenant)
    if (trace === undefined || world.desired(tenant) === undefined) return
    timeline.mark({ trace, step: 'first-use', tenant, at: Number.isNaN(Date.parse(at)) ? now().toISOString() : at })
    log.info({ tenant, trace }, 'first use')
  }
}

/** From this machine, whatever address it listens on. */
function gatewayUrlOf(host: string, port: number): string {
  const address = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${address.includes(':') ? `[${address}]` : address}:${port}`
}

function inboxCounts({ pending, held }: { readonly pending: number; readonly held: number }): Record<string, number> {
  return { pending, held }
}

/** Children get what programs need to run, and none of the controller's secrets. */
function childEnvironment({ environment }: Machine): Record<string, string> {
  const names = ['PATH', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR']
  return Object.fromEntries(names.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]])))
}

/** One controller a HOME: the web socket says whether there is one. */
async function refuseSecondController(home: string): Promise<void> {
  if (await answers(webSocketPath(home))) throw new Error(`A controller runs on ${home} already. Stop it with \`tenantry down\`, or set TENANTRY_HOME to another folder.`)
}

async function listenSite(home: string, site: FastifyInstance): Promise<FastifyInstance> {
  const socket = webSocketPath(home)
  await refuseSecondController(home)
  if (existsSync(socket)) unlinkSync(socket)
  await site.listen({ path: socket })
  chmodSync(socket, 0o600)
  return site
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = createConnection(socketPath)
    connection.once('connect', () => {
      connection.destroy()
      resolve(true)
    })
    connection.once('error', () => resolve(false))
  })
}
