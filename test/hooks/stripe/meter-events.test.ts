/** The form of what Stripe is told of metered use, held to the official stripe-mock. */
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createStripeClient } from '../../../hooks/stripe/client.ts'
import { sendMeterEvents } from '../../../hooks/stripe/meter-events.ts'
import type { CommitId, TenantId } from '../../../controller/core/specs.ts'
import { openStore } from '../../../controller/store/db.ts'
import { createMeterReports, type MeterReports } from '../../../controller/store/meter-reports.ts'
import { has } from '../../support/parts.ts'
import { tempFolder } from '../../support/temp.ts'
import { startStripeMock } from './stripe-mock.ts'

function reportsWithOne(): MeterReports {
  const db = openStore(path.join(tempFolder('meter'), 'store.db'), 'durable')
  onTestFinished(() => db.close())
  const reports = createMeterReports(db)
  const terms = { event: 'tenantry_light_requests', plan: 'light', of: 'requests', per: 10, included: 0, price: { amount: 1, currency: 'usd' }, customer: 'cus_1' } as const
  const at = Math.floor(Date.now() / 1000) - 3600
  reports.add({ tenant: 'user001' as TenantId, event: terms.event, month: '2026-11', day: '2026-11-05', revision: 'a'.repeat(40) as CommitId, terms, termsOf: '2026-11-05', units: 12, identifier: 'user001.2026-11-05.abc', at }, new Date(0).toISOString())
  return reports
}

const outcomesOf = async (reports: MeterReports, apiBase: string): Promise<string[]> => {
  const outcomes: string[] = []
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
  await sendMeterEvents({ reports, stripe: createStripeClient({ secretKey: 'sk_test_123', apiBase }), now: () => new Date(), chance: () => 0, log, count: (outcome) => outcomes.push(outcome) })
  return outcomes
}

test.runIf(has('stripe-mock'))('a report has the form of a meter event', async () => {
  const mock = await startStripeMock()
  onTestFinished(mock.stop)
  const reports = reportsWithOne()
  expect(await outcomesOf(reports, mock.url)).toEqual(['sent'])
  expect(reports.counts()).toEqual({})
})

test('where nothing listens, it never arrived: it waits, and may be repeated for as long as Stripe takes it', async () => {
  const reports = reportsWithOne()
  expect(await outcomesOf(reports, 'http://127.0.0.1:1')).toEqual(['refused'])
  expect(reports.due('9999-01-01T00:00:00Z', 1)).toMatchObject([{ state: 'waiting', firstAttemptAt: null, attempts: 1, identifier: 'user001.2026-11-05.abc' }])
})
