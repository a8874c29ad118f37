/** Joins the metering of plans that are paid by use: closing days, telling Stripe, and its metrics. */
import { existsSync } from 'node:fs'
import { Counter, Gauge, type Registry } from 'prom-client'
import type { Logger } from 'pino'
import { createStripeClient } from '../hooks/stripe/client.ts'
import { sendMeterEvents, type MeterEventsOptions } from '../hooks/stripe/meter-events.ts'
import type { Installation } from './installation.ts'
import type { Machine } from './machine.ts'
import { closeDays, type CloseOptions, type UsageDays } from './metering/close.ts'
import { createTermsAt } from './metering/terms-at.ts'
import { createPacemaker } from './reconcile/pacemaker.ts'
import { createSpecParser, type SpecParser } from './specs/parse.ts'
import { createMeta } from './store/meta.ts'
import { createMeterReports, type MeterReports } from './store/meter-reports.ts'
import { readUsage, usagePath } from './store/usage.ts'
import type { StripeConnection } from './stripe-connection.ts'

export interface Metering {
  close(): Promise<void>
}

export interface MeteringOptions {
  readonly installation: Installation
  readonly stripe: StripeConnection
  readonly machine: Machine
  readonly log: Logger
  readonly registry: Registry
}

const RETRY_MS = 60_000

export function startMetering({ installation, stripe: connection, machine: { now, chance }, log, registry }: MeteringOptions): Metering {
  const { stores, catalog, source, repository, keyring, settings } = installation
  const reports = createMeterReports(stores.durable)
  let parser: SpecParser | undefined
  const closing: CloseOptions = {
    usage: () => openUsageDays(settings.home),
    sync: source.sync,
    catalog,
    termsAt: createTermsAt(repository, () => (parser ??= createSpecParser())),
    reports,
    meta: createMeta(stores.durable),
    store: stores.durable,
    digest: keyring.digest,
    installation: installation.id,
    now,
  }
  const stripe = createStripeClient({ secretKey: connection.secretKey, ...(connection.apiBase !== undefined && { apiBase: connection.apiBase }) })
  const sending: MeterEventsOptions = { reports, stripe, now, chance, log, count: addMetrics(registry, reports) }
  const pacemaker = createPacemaker(async () => {
    try {
      await closeDays(closing)
      return await sendMeterEvents(sending)
    } catch (err) {
      log.error({ err }, 'metered use could not be worked out or told; it is tried again')
      return RETRY_MS
    }
  })
  pacemaker.poke()
  return { close: pacemaker.close }
}

/** @throws where there is a ledger that cannot be read: that never means that nothing was used. */
export function openUsageDays(home: string): UsageDays | undefined {
  const file = usagePath(home)
  const usage = readUsage(file)
  if (usage === undefined && existsSync(file)) throw new Error(`the ledger of usage cannot be read: ${file}`)
  return usage
}

function addMetrics(registry: Registry, reports: MeterReports): (outcome: string) => void {
  const registers = [registry]
  const attempts = new Counter({ name: 'tenantry_meter_reports_total', help: 'Attempts to tell Stripe of metered use, by outcome.', labelNames: ['outcome'], registers })
  new Gauge({ name: 'tenantry_meter_reports', help: 'Reports of metered use that Stripe has not, by state.', labelNames: ['state'], registers, collect() {
    const counts = reports.counts()
    for (const state of ['waiting', 'doubtful', 'too-late'] as const) this.set({ state }, counts[state] ?? 0)
  } })
  return (outcome) => attempts.inc({ outcome })
}
