/**
 * What there is once in a gateway, however many workers serve: the written usage, the book of storage, the sum of all counters, first-use
 * reports. Answers the workers' questions. Never on the way of a request that a worker can decide by itself.
 */
import { openUsageOrAnew, usagePath, type Usage } from '../../store/usage.ts'
import { periodsAt } from '../../core/quota.ts'
import type { TenantId } from '../../core/specs.ts'
import type { GatewayOptions } from '../gateway.ts'
import type { Log } from '../log.ts'
import type { Answer, Asked, FromWorker, Post, QuestionName, RoutesRead, UsageAsked, UsageFigures } from '../messages.ts'
import { addCounts, noCounts, type MetricCounts, type WorkerGauges } from '../metrics.ts'
import type { GatewaySettings } from '../settings.ts'
import { createSharedBuffers } from '../shared/buffers.ts'
import { createKeySlots, type KeySlots } from '../shared/key-slots.ts'
import { createTenantSlots, type TenantSlots } from '../shared/tenant-slots.ts'
import { webSocketPath } from '../sockets.ts'
import type { WorkerPlan } from '../worker.ts'
import { createCrew, seatHere, seatInThread, type Crew, type Member, type Seat } from './crew.ts'
import { createFirstUseReports } from './first-use-reports.ts'
import { createLanes, laneCount } from './lanes.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { createMembers, type KnownMember, type Members } from './members.ts'
import { createMetricsText, type GatewayGauges } from './metrics-text.ts'
import { createStorageBooks, type StorageBooks } from './storage-books.ts'
import { figuresByDay, figuresByKey, figuresByMonth } from './usage-figures.ts'

export interface CoordinatorOptions extends Omit<GatewayOptions, 'settings' | 'host' | 'port'> {
  readonly settings: GatewaySettings
}

export interface Coordinator {
  /** Resolves with the port when all workers listen. */
  listen(host: string, port: number): Promise<number>
  /** Of all workers, up to this instant. */
  present(): Promise<{ readonly routes: RoutesRead; readonly requests: MetricCounts }>
  metricsText(): Promise<string>
  /** Drains the workers, writes down what they counted, closes everything. */
  stop(limitMs: number): Promise<void>
}

export function createCoordinator(options: CoordinatorOptions): Coordinator {
  const { home, workers, now, steadyMs, log } = options
  const salt = crypto.randomUUID()
  const buffers = createSharedBuffers(laneCount(workers))
  const lanes = createLanes(buffers.phextVersions, workers)
  const members = createMembers(lanes)
  const crew: Crew = createCrew({ seat: (number) => seatWorker(options, { buffers, salt, number, lane: members.join(number).lane }), size: workers, onMessage: (member, message) => take(member, message), onLost: ({ number }) => members.lose(number), log })
  // Before anything of the coordinator's own is loaded, so that all of it goes on side by side.
  crew.start()

  const counts = noCounts()
  const periods = () => periodsAt(now().getTime())
  const usage = openUsageOrAnew(usagePath(home), now(), (error, what) => log.error({ err: error, what }, 'usage.db cannot be used'))
  beginCounts(usage, { slots: createTenantSlots(buffers.tenantSlots), keySlots: createKeySlots(buffers.keySlots) }, periods(), log)
  const ledger = createLedger({ usage, periods, log })
  const books = createStorageBooks({ home, usage, ledger, steadyMs, log })
  books.start()
  const firstUse = createFirstUseReports({ socketPath: webSocketPath(home), now, log })
  const answers = createAnswers({ usage, ledger, books, crew, members })

  function take(member: Member, message: FromWorker): void {
    switch (message.kind) {
      case 'posted':
        members.of(member.number).latest = message.post
        addCounts(counts, message.post.metrics)
        ledger.add(message.post)
        return ledger.flush()
      case 'logged':
        return void log[message.level](message.fields, message.message)
      case 'first-use':
        return firstUse.succeeded(message.tenant)
      case 'settled':
        return members.of(member.number).reservations.settle(message.reservation, message.settlement, message.addedBytes)
      case 'transfer-ended':
        return void members.of(member.number).transfers.delete(message.tenant)
      case 'exported':
        return books.exported(message.place, message.phext)
      case 'asked':
        return void answer(member, message)
      case 'listens':
      case 'failed':
      case 'all-posted':
      case 'drained':
        return
    }
  }

  async function answer(member: Member, { number, name, asked }: Extract<FromWorker, { kind: 'asked' }>): Promise<void> {
    try {
      member.post({ kind: 'answered', number, answer: await answers[name](asked as never, members.of(member.number)) })
    } catch (error) {
      member.post({ kind: 'not-answered', number, message: (error as Error).message })
    }
  }

  const metricsText = createMetricsText(counts, createGauges({ crew, ledger, books, latest: members.posts }))

  return {
    listen: (host, port) => crew.listen(host, port, options.serveHere === undefined),
    async present() {
      await crew.allPosted()
      return { routes: slowest(members.posts()), requests: counts }
    },
    async metricsText() {
      await crew.allPosted()
      return metricsText()
    },
    async stop(limitMs) {
      await crew.drain(limitMs)
      firstUse.close()
      lanes.close()
      books.close()
      ledger.flush()
      usage.close()
    },
  }
}

function seatWorker({ home, version, workers, serveHere, idPrefix, settings, now, steadyMs, log }: CoordinatorOptions, { number, ...given }: Pick<WorkerPlan, 'buffers' | 'salt' | 'lane'> & { readonly number: number }): Seat {
  const plan: WorkerPlan = { home, version, idPrefix: serveHere === undefined ? `${idPrefix}${number.toString(36)}` : idPrefix, settings, workers, ...given }
  return serveHere === undefined ? seatInThread(plan) : seatHere(serveHere, { plan, now, steadyMs, log })
}

interface GaugeSources {
  readonly crew: Crew
  readonly ledger: Ledger
  readonly books: StorageBooks
  readonly latest: () => readonly Post[]
}

function createGauges({ crew, ledger, books, latest }: GaugeSources): GatewayGauges {
  const sum = (of: keyof WorkerGauges) => () => latest().reduce((total, { gauges }) => total + gauges[of], 0)
  const read = (of: 'tenants' | 'keys' | 'applied' | 'corruptLines') => () => slowest(latest())[of]
  return {
    ...{ workers: () => crew.members, workersLost: () => crew.lost },
    ...{ tenants: read('tenants'), keys: read('keys'), applied: read('applied'), corruptLines: read('corruptLines') },
    ...{ active: sum('active'), waiting: sum('waiting'), bufferedBytes: sum('bufferedBytes') },
    ...{ keptBytes: sum('keptBytes'), keptEvictions: sum('keptEvictions') },
    storagesActive: () => books.active,
    usageFailures: () => ledger.failures,
    usageFlushMs: () => ledger.lastFlushMs,
  }
}

type Answers = { [Name in QuestionName]: (asked: Asked<Name>, member: KnownMember) => Promise<Answer<Name>> }

interface AnswerParts {
  readonly usage: Usage
  readonly ledger: Ledger
  readonly books: StorageBooks
  readonly crew: Crew
  readonly members: Members
}

function createAnswers({ usage, ledger, books, crew, members }: AnswerParts): Answers {
  async function figures(asked: UsageAsked): Promise<UsageFigures> {
    const storedBytes = await books.usedBytes(asked.place)
    await crew.allPosted()
    const pending = ledger.pending(asked.tenant as TenantId)
    return { storedBytes, keys: figuresByKey(usage, asked, pending), history: figuresByDay(usage, asked, pending), months: figuresByMonth(usage, asked, pending) }
  }
  return {
    usage: figures,
    transfer: ({ tenant }, member) => Promise.resolve(members.beginTransfer(member, tenant)),
    reserve: (asked, { reservations }) => books.reserve(asked, reservations),
  }
}

/** A file that cannot be read through must not keep the gateway from serving: then quotas begin anew. */
function beginCounts(usage: Usage, { slots, keySlots }: { readonly slots: TenantSlots; readonly keySlots: KeySlots }, periods: ReturnType<typeof periodsAt>, log: Log): void {
  try {
    for (const [tenant, counts] of usage.requestsSince(`${periods.month}-01`, periods.day)) slots.begin(tenant as TenantId, counts, periods)
    for (const { tenant, key, requests } of usage.spent()) keySlots.begin(tenant as TenantId, key, requests)
  } catch (error) {
    log.error({ err: error }, 'usage.db cannot be read: quotas begin anew')
  }
}

const NOTHING_READ: RoutesRead = { generation: undefined, applied: 0, corruptLines: 0, tenants: 0, keys: 0 }

/** What the worker that is furthest behind has read: a change has come to everybody when it shows here. */
function slowest(posts: readonly Post[]): RoutesRead {
  return posts.map(({ routes }) => routes).sort((a, b) => a.applied - b.applied)[0] ?? NOTHING_READ
}
