/** `tenantry billing explain`: metered use of a month over a change of plan in git, from the ledger, real commits and what Stripe was told. */
import { expect, it } from 'vitest'
import { meterEventName } from '../../controller/core/purchase.ts'
import type { TenantId } from '../../controller/core/specs.ts'
import { openInstallation, type Installation } from '../../controller/installation.ts'
import { closeDays } from '../../controller/metering/close.ts'
import { createTermsAt } from '../../controller/metering/terms-at.ts'
import { openUsageDays } from '../../controller/metering.ts'
import { readSettings } from '../../controller/settings.ts'
import { createSpecParser } from '../../controller/specs/parse.ts'
import { createMeta } from '../../controller/store/meta.ts'
import { createMeterReports, type MeterReports } from '../../controller/store/meter-reports.ts'
import { openUsage, usagePath } from '../../controller/store/usage.ts'
import { fileOf, SHARED_FILES, tenantText } from '../support/tenant-files.ts'
import { terminal, type Terminal } from './support.ts'

const ADA = 'user001' as TenantId
const STANDARD = SHARED_FILES.find(({ path }) => path === 'plans/standard.yaml')!.text
const planFile = (name: string, meter: string) => ({ path: `plans/${name}.yaml`, text: `${STANDARD.replace('name: standard', `name: ${name}`)}  meters:\n    - ${meter}\n` })
const on = (plan: string): string => tenantText(1).replace('plan: standard', `plan: ${plan}`).replace('  state: active\n', '  state: active\n  billing: { customer: cus_1, subscription: sub_1, status: active }\n')
const FILES = [
  ...SHARED_FILES,
  planFile('light', '{ of: requests, per: 10, included: 100, price: { amount: 1, currency: usd } }'),
  planFile('heavy', '{ of: requests, per: 7, price: { amount: 2, currency: usd } }'),
  { path: fileOf(1).path, text: on('light') },
  fileOf(2),
]

function use(term: Terminal, day: string, requests: number): void {
  const usage = openUsage(usagePath(term.home))
  usage.write({ counts: [{ tenant: ADA, key: 'k1', day, requests, refused: 0, errors: 0, bytesIn: 0, bytesOut: 0 }], lastUsed: [], storage: [], refusals: [] })
  usage.close()
}

/** What the running program does once a day is over, and what Stripe then is told. */
async function close(term: Terminal, at: string, tell: (reports: MeterReports) => void = () => undefined): Promise<void> {
  term.at = new Date(at)
  const now = () => term.at
  const environment = { PATH: process.env['PATH'], TENANTRY_MASTER_KEY: `1:${'11'.repeat(32)}` }
  const installation: Installation = await openInstallation(readSettings(environment, term.folder), { environment, now })
  const { source, catalog, repository, stores, keyring, id } = installation
  const parser = createSpecParser()
  const reports = createMeterReports(stores.durable)
  await closeDays({ usage: () => openUsageDays(term.home), sync: source.sync, catalog, termsAt: createTermsAt(repository, () => parser), reports, meta: createMeta(stores.durable), store: stores.durable, digest: keyring.digest, installation: id, now })
  tell(reports)
  await installation.close()
}

const settleAll = (state: 'sent' | 'too-late') => (reports: MeterReports): void => {
  for (const { identifier } of reports.of(ADA, '2026-03')) reports.settle(identifier, state, null)
}

/** A day on each plan, and one that is not over. */
async function month() {
  const term = await terminal(FILES)
  const first = term.git('rev-parse', 'main').trim()
  use(term, '2026-03-01', 250)
  await close(term, '2026-03-02T01:00:00Z', settleAll('sent'))
  const second = term.commit({ [fileOf(1).path]: on('heavy') }).trim()
  use(term, '2026-03-02', 70)
  await close(term, '2026-03-03T01:00:00Z')
  use(term, '2026-03-03', 15)
  return { term, first, second }
}

it('works a month out anew by the commit of each day, and sets what Stripe was told beside it', async () => {
  const { term, first, second } = await month()
  const none = { sent: 0, waiting: 0, doubtful: 0, 'too-late': 0 }
  expect(await term.json('billing', 'explain', 'user001', '--month', '2026-03')).toEqual({
    tenant: 'user001',
    month: '2026-03',
    meters: [
      {
        ...{ event: meterEventName('light', 'requests'), of: 'requests', plan: 'light', counted: 250, billable: 150, units: 15, amount: 15, currency: 'usd', difference: 0 },
        days: [{ day: '2026-03-01', counted: 250, included: 100, per: 10, billable: 150, units: 15, remainder: 0, revision: first }],
        reported: { ...none, sent: 15 },
      },
      {
        ...{ event: meterEventName('heavy', 'requests'), of: 'requests', plan: 'heavy', counted: 85, billable: 85, units: 12, amount: 24, currency: 'usd', difference: 0 },
        days: [
          { day: '2026-03-02', counted: 70, included: 0, per: 7, billable: 70, units: 10, remainder: 0, revision: second },
          { day: '2026-03-03', counted: 15, included: 0, per: 7, billable: 15, units: 2, remainder: 1, revision: null },
        ],
        reported: { ...none, waiting: 10 },
      },
    ],
  })
  const { code, out } = await term.run('billing', 'explain', 'user001')
  expect(code).toBe(0)
  expect(out).toMatch(new RegExp(`2026-03-01 +250 +100 +150 +10 +15 +0 +${first.slice(0, 12)}`))
  expect(out).toContain('counted 250, beyond what is included 150: 15 units, $0.15\ntold to Stripe: 15 units\nno difference')
  expect(out).toMatch(/2026-03-03 +15 +0 +15 +7 +2 +1 +not closed/)
  expect(out).toContain('counted 85, beyond what is included 85: 12 units, $0.24\ntold to Stripe: 0 units; 10 wait to be sent\nno difference')
}, 60_000)

it('says where Stripe has less than is owed', async () => {
  const { term } = await month()
  await close(term, '2026-03-03T02:00:00Z', settleAll('too-late'))
  const { out } = await term.run('billing', 'explain', 'user001')
  expect(out).toContain('told to Stripe: 0 units; 10 came too late for Stripe\nDIFFERENCE: 10 units of closed days are neither sent nor waiting')
}, 60_000)

it('says so where nothing is metered, and refuses what is no tenant or no month', async () => {
  const term = await terminal(FILES)
  const free = await term.run('billing', 'explain', 'user002', '--month', '2026-03')
  expect([free.code, free.out]).toEqual([0, expect.stringMatching(/^user002 owes nothing for use in 2026-03/)])
  expect(await term.json('billing', 'explain', 'user002')).toEqual({ tenant: 'user002', month: '2026-03', meters: [] })
  const unknown = await term.run('billing', 'explain', 'user009')
  expect([unknown.code, unknown.error]).toEqual([2, expect.stringContaining('There is no tenant "user009"')])
  for (const bad of ['2026-13', 'March', '2026-3']) {
    const { code, error } = await term.run('billing', 'explain', 'user001', '--month', bad)
    expect([code, error]).toEqual([2, expect.stringContaining(`"${bad}" is no month. Write it as in 2026-11.`)])
  }
}, 60_000)
