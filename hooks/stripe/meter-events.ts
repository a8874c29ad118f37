/**
 * Tells Stripe of metered use, each report once. A report is written down before it is sent, and carries an identifier that is made
 * of tenant, meter and day. Stripe refuses an identifier that it knows, for a day at least, and that refusal is an answer: it has it.
 * An attempt that was never answered is therefore repeated within that day only; after it, nobody can tell, and a person looks.
 */
import type Stripe from 'stripe'
import { backoffMs } from '../../controller/core/backoff.ts'
import type { MeterReport, MeterReports } from '../../controller/store/meter-reports.ts'
import type { Log } from './ports.ts'

export interface MeterEventsOptions {
  readonly reports: MeterReports
  readonly stripe: { readonly billing: { readonly meterEvents: Pick<Stripe['billing']['meterEvents'], 'create'> } }
  readonly now: () => Date
  readonly chance: () => number
  readonly log: Log
  readonly count: (outcome: 'sent' | 'known' | 'refused' | 'unknown' | 'doubtful' | 'too-late') => void
}

const HOUR_MS = 3_600_000
/** Stripe remembers identifiers for 24 hours at least. */
const SURE_WITHIN_MS = 23 * HOUR_MS
/** Stripe takes what is at most 35 days old. */
const OLDEST_MS = 35 * 24 * HOUR_MS - HOUR_MS
const AT_ONCE = 16
const IDLE_MS = 60_000
/** From some seconds to an hour. */
const RETRY_FACTOR = 12

/** Sends what is due; answers when to look again, in milliseconds. */
export async function sendMeterEvents(options: MeterEventsOptions): Promise<number> {
  const { reports, now } = options
  for (;;) {
    const due = reports.due(now().toISOString(), AT_ONCE)
    if (due.length === 0) break
    await Promise.all(due.map((report) => send(options, report)))
  }
  const next = reports.nextDueAt()
  return next === undefined ? IDLE_MS : Math.min(IDLE_MS, Math.max(1000, Date.parse(next) - now().getTime()))
}

interface Answer {
  readonly kind: 'sent' | 'known' | 'refused' | 'unknown'
  readonly note: string
}

async function send(options: MeterEventsOptions, report: MeterReport): Promise<void> {
  const { reports, now, chance, log, count } = options
  const { identifier, tenant, event, day, attempts, firstAttemptAt } = report
  const about = { tenant, event, day }
  const end = endOf(report, now().getTime())
  if (end !== undefined) {
    reports.settle(identifier, end, report.note)
    count(end)
    return log.error(about, end === 'doubtful' ? 'whether Stripe has a report of use is not known: compare with `tenantry billing explain`' : 'a report of use is too old for Stripe: charge it by hand, `tenantry billing explain` has the figures')
  }
  const startedAt = now().toISOString()
  reports.begin(identifier, startedAt)
  const answer = await ask(options, report)
  count(answer.kind)
  if (answer.kind === 'sent' || answer.kind === 'known') return reports.settle(identifier, 'sent', null)
  if (attempts % 20 === 0) log.warn({ ...about, note: answer.note }, 'a report of use was not taken by Stripe; it is tried again')
  // A refusal says nothing of an attempt before it.
  reports.retry(identifier, firstAttemptAt ?? (answer.kind === 'unknown' ? startedAt : null), answer.note, new Date(now().getTime() + RETRY_FACTOR * backoffMs(attempts + 1, chance())).toISOString())
}

/** Why a report is not to be sent any more. */
function endOf({ firstAttemptAt, at }: MeterReport, nowMs: number): 'doubtful' | 'too-late' | undefined {
  if (firstAttemptAt !== null && nowMs - Date.parse(firstAttemptAt) > SURE_WITHIN_MS) return 'doubtful'
  return nowMs - at * 1000 > OLDEST_MS ? 'too-late' : undefined
}

async function ask({ stripe }: MeterEventsOptions, { event, terms, units, identifier, at }: MeterReport): Promise<Answer> {
  try {
    // The package's own retries would hide which of them may have arrived.
    await stripe.billing.meterEvents.create({ event_name: event, identifier, timestamp: at, payload: { stripe_customer_id: terms.customer, value: String(units) } }, { maxNetworkRetries: 0 })
    return { kind: 'sent', note: '' }
  } catch (error) {
    return judge(error as StripeFailure)
  }
}

interface StripeFailure {
  readonly code?: string
  readonly type?: string
  readonly statusCode?: number
  readonly message?: string
  /** What a connection failed by. */
  readonly detail?: { readonly code?: string }
}

/** Nothing was connected, so nothing arrived. */
const NEVER_ARRIVED: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])

function judge({ code, type, statusCode, message = '', detail }: StripeFailure): Answer {
  // Stripe documents the code, and at times gives the words alone.
  if (code === 'duplicate_meter_event' || (statusCode === 400 && /already exists with identifier/i.test(message))) return { kind: 'known', note: '' }
  const note = [type, code ?? detail?.code, statusCode].filter((part) => part !== undefined).join(' ')
  const isAnswer = statusCode !== undefined && statusCode < 500
  return { kind: isAnswer || NEVER_ARRIVED.has(detail?.code ?? '') ? 'refused' : 'unknown', note }
}
