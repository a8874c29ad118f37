/** One simulated seller: Stripe, the way of its webhooks, the program that dies and starts again, and what customers can do. */
import type Stripe from 'stripe'
import path from 'node:path'
import { createMeta } from '../../controller/store/meta.ts'
import { openStore, type Store } from '../../controller/store/db.ts'
import type { Plan, Platform, Product } from '../../controller/core/specs.ts'
import { applyCatalogue } from '../../hooks/stripe/catalogue-apply.ts'
import { catalogueChanges } from '../../hooks/stripe/catalogue-changes.ts'
import { readCatalogue } from '../../hooks/stripe/catalogue-read.ts'
import { wantedCatalogue } from '../../hooks/stripe/catalogue.ts'
import { createStripeClient, STRIPE_API_VERSION } from '../../hooks/stripe/client.ts'
import { HANDLED_EVENTS } from '../../hooks/stripe/event.ts'
import { createOfflineDouble, type OfflineDouble } from '../../sandbox/offline-double.ts'
import type { StripeEvent } from '../../sandbox/objects/list.ts'
import type { Endpoint } from '../../sandbox/outgoing.ts'
import type { RetryRules } from '../../sandbox/billing.ts'
import { createAgenda, type Agenda, type Elsewhere } from './agenda.ts'
import { createChance, type Chance } from './chance.ts'
import { createFaults, type FaultRates, type Faults } from './faults.ts'
import { INSTALLATION, SECRET_KEY, startProgram, WEBHOOK_SECRET, type Program } from './program.ts'
import { createSimRepository, type SimRepository } from './repository.ts'

export const START_MS = Date.parse('2026-01-31T12:00:00Z')
export const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
/** Between comparisons with Stripe, at least and below: a trial of 14 days that no webhook told of is found while it runs. */
const TICK_DAYS = [4, 13] as const
const AGAIN_MS = 30_000
const RETRY_HOURS = [1, 4, 12, 24, 30]

export interface WorldOptions {
  readonly seed: string
  /** Where the store's file is. */
  readonly folder: string
  readonly rates: FaultRates
  readonly specs: readonly (Platform | Product | Plan)[]
  readonly retries?: RetryRules
}

export interface World {
  readonly chance: Chance
  readonly agenda: Agenda
  readonly double: OfflineDouble
  readonly repository: SimRepository
  readonly db: Store
  readonly faults: Faults
  /** A client on which nothing goes wrong: an operator's, or somebody else's on the same account. */
  readonly outside: Stripe
  /** The running one. */
  program(): Program
  /** Runs something of the program; a death over it starts a new one. Undefined where it died. */
  alive<T>(work: (program: Program) => Promise<T>): Promise<T | undefined>
  /** What became wrong on the way, by rules that hold at every moment. */
  readonly breaches: string[]
  /** What each buyer agreed to pay for a period, by subscription: as the plan's file said at that moment. */
  readonly agreed: Map<string, number>
  /** Subscriptions that a comparison showed as paid and gone. */
  readonly shownAsGone: ReadonlySet<string>
  /** When comparisons went well. */
  readonly comparedMs: readonly number[]
  /** `billing sync`, as the operator types it. */
  sync(): Promise<void>
  run(days: number): Promise<void>
  /** Lets everything come to rest, with nothing going wrong any more. */
  settle(): Promise<void>
}

const ENDPOINT: Endpoint = { url: 'http://localhost/', secret: WEBHOOK_SECRET, enabledEvents: HANDLED_EVENTS, apiVersion: STRIPE_API_VERSION }

export async function createWorld({ seed, folder, rates, specs, retries }: WorldOptions): Promise<World> {
  const chance = createChance(seed)
  const agenda = createAgenda(START_MS)
  const faults = createFaults(chance, rates)
  const db = emptyStore(folder)
  const breaches: string[] = []
  const shownAsGone = new Set<string>()
  const comparedMs: number[] = []
  const slots = createSlotWatch()
  const repository = createSimRepository(specs, faults.push, (findings) => breaches.push(...slots.breaches(repository), ...findings.map(({ file, message }) => `${file}: ${message}`)))
  const double = createOfflineDouble({ secretKey: SECRET_KEY, now: agenda.now, catalog: 'none', seed, onEvent: (event) => send(event), ...(retries && { retries }) })
  const outside = createStripeClient({ secretKey: SECRET_KEY, httpClient: double.httpClient, networkRetries: 0 })
  const machine = { db, repository, now: agenda.now, api: faults.api(double.handle), dies: faults.dies, chance: chance.fork('program') }
  const ticks = chance.fork('ticks')
  let program = startProgram(machine)
  let isWorkPut = false
  /** How things stood when a comparison found no difference; as long as they stand so, another would find none. */
  let agreedAt: string | undefined
  let mailedAt = 0

  async function alive<T>(work: (program: Program) => Promise<T>): Promise<T | undefined> {
    try {
      return await work(program)
    } catch (error) {
      if (!program.dead) throw error
      return undefined
    } finally {
      if (program.dead) {
        program = startProgram(machine)
        putWork(1000)
      }
    }
  }

  async function work(): Promise<void> {
    isWorkPut = false
    await alive((running) => running.work())
    if (repository.commits.length !== mailedAt) await mail()
    const { at } = db.prepare("SELECT min(next_attempt_at) AS at FROM inbox WHERE state IN ('pending', 'held') AND state = 'pending'").get() as { at: string | null }
    if (at !== null) putWork(Math.max(1000, Date.parse(at) - agenda.now().getTime()))
  }

  function putWork(inMs: number): void {
    if (isWorkPut) return
    isWorkPut = true
    agenda.in(inMs, work)
  }

  async function deliver(event: StripeEvent, version: string | undefined, attempt: number): Promise<void> {
    const message = double.sign(event, ENDPOINT, version)
    const status = await alive((running) => running.receive(message))
    if (status === 200) return putWork(10)
    const pauseHours = RETRY_HOURS[attempt]
    if (pauseHours !== undefined) agenda.in(pauseHours * HOUR_MS, () => deliver(event, version, attempt + 1))
  }

  function send(event: StripeEvent): void {
    if (!HANDLED_EVENTS.includes(event.type)) return
    for (const { afterMs, version } of faults.deliveries()) agenda.in(afterMs, () => deliver(event, version, 0))
  }

  /** As the program's timer does it: after a failure soon again. */
  async function compare(): Promise<void> {
    try {
      const before = program
      const round = await alive((running) => running.compare())
      if (round !== undefined) comparedMs.push(agenda.now().getTime())
      for (const { kind, subject } of round?.differences ?? []) if (kind === 'paid-and-gone') shownAsGone.add(subject)
      if (program === before) agreedAt = standing()
      // A new process compares soon after its start.
      else agenda.in(AGAIN_MS, compare)
    } catch {
      agenda.in(AGAIN_MS, compare)
    }
    await work()
    await mail()
  }

  /** Undefined where a comparison has something to do: a difference, or a time that will come. */
  function standing(): string | undefined {
    const { n } = db.prepare('SELECT count(*) AS n FROM billing_differences').get() as { n: number }
    const waits = repository.tenants().some(({ spec }) => spec.state === 'active' && spec.billing?.graceUntil !== undefined)
    return n > 0 || waits ? undefined : `${double.events().length} ${repository.commits.length}`
  }

  async function tick(): Promise<void> {
    agenda.in((TICK_DAYS[0] + ticks.below(TICK_DAYS[1] - TICK_DAYS[0])) * DAY_MS, tick)
    if (agreedAt === undefined || agreedAt !== standing()) await compare()
  }

  async function mail(): Promise<void> {
    mailedAt = repository.commits.length
    await alive((running) => running.mail())
  }

  async function sync(): Promise<void> {
    const wanted = wantedCatalogue(repository.catalog, { installation: INSTALLATION, publicUrl: undefined })
    const { steps, problems } = catalogueChanges(wanted, await readCatalogue(outside, wanted))
    if (problems.length > 0) throw new Error(problems.join('\n'))
    await applyCatalogue({ stripe: outside, installation: INSTALLATION, keepSecret: () => undefined, done: () => undefined }, steps)
  }

  await sync()
  // Mail began before anybody bought.
  while (createMeta(db).get('mails-since') === undefined) await mail()
  agenda.in(TICK_DAYS[0] * DAY_MS, tick)
  const stripe: Elsewhere = { nextDueMs: () => double.account.nextDueAt() * 1000, catchUp: () => double.account.catchUp(agenda.now()) }
  return {
    chance, agenda, double, repository, db, faults, outside, alive, breaches, shownAsGone, comparedMs, sync, agreed: new Map(),
    program: () => program,
    run: (days) => agenda.runUntil(agenda.now().getTime() + days * DAY_MS, stripe),
    async settle() {
      faults.stop()
      await agenda.runUntil(agenda.now().getTime() + 8 * DAY_MS, stripe)
      db.prepare("UPDATE inbox SET next_attempt_at = ? WHERE state IN ('pending', 'held')").run(agenda.now().toISOString())
      await compare()
      await compare()
      faults.goOn()
    },
  }
}

/** No commit of the program may take a slot that there is not. Who has one keeps it, when there are to be fewer. */
function createSlotWatch(): { breaches(repository: SimRepository): string[] } {
  const before = new Map<string, number>()
  return {
    breaches: (repository) =>
      [...repository.catalog.plans()].flatMap(({ metadata: { name }, spec: { slots } }) => {
        const taken = repository.tenants().filter(({ spec }) => spec.plan === name && spec.state !== 'ended').length
        const isMore = taken > (before.get(name) ?? 0)
        before.set(name, taken)
        return slots !== undefined && isMore && taken > slots ? [`${taken} tenants on ${name}, which has ${slots} slots`] : []
      }),
  }
}

const stores = new Map<string, Store>()

/** One file for all runs in a folder: its tables are made once. */
function emptyStore(folder: string): Store {
  const store = stores.get(folder) ?? openStore(path.join(folder, 'store.db'), 'rebuildable')
  stores.set(folder, store)
  // Nobody else has it open, and nothing but the process dies.
  store.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF')
  const tables = store.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").all() as { name: string }[]
  store.exec(tables.map(({ name }) => `DELETE FROM "${name}"`).join(';'))
  return store
}
