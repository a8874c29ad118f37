/**
 * A year of customers for one seed after the other, through the real code, with something going wrong at every step. As many seeds as
 * fit in TENANTRY_SIM_SECONDS; TENANTRY_LONG=1 takes more. `SIM_SEED=…` plays one seed again, with SIM_CUSTOMERS and SIM_DAYS as it was reported.
 */
import { expect, it } from 'vitest'
import { tempFolder } from '../support/temp.ts'
import { ROUGH } from './faults.ts'
import { run, shrink, type RunOptions } from './run.ts'

const { env } = process
const LONG = env['TENANTRY_LONG'] === '1'
const BUDGET_MS = Number(env['TENANTRY_SIM_SECONDS'] ?? (LONG ? 30 * 60 : 120)) * 1000
const CUSTOMERS = Number(env['SIM_CUSTOMERS'] ?? 4)
const DAYS = Number(env['SIM_DAYS'] ?? 365)

it('brings repository, Stripe, keys, inbox and mail to agreement, whatever went wrong', async () => {
  const folder = tempFolder('sim')
  const until = performance.now() + BUDGET_MS
  const seeds = env['SIM_SEED'] === undefined ? seedsUntil(until) : [env['SIM_SEED']]
  let years = 0
  for (const seed of seeds) {
    const options: RunOptions = { seed, folder, customers: CUSTOMERS, days: DAYS, rates: ROUGH }
    const { faults } = await run(options)
    if (faults.length > 0) throw new Error(await described(options, faults))
    years += 1
  }
  console.log(`${years} years of ${CUSTOMERS} customers agreed, in ${BUDGET_MS / 1000} s`)
  expect(years).toBeGreaterThan(0)
}, BUDGET_MS + 300_000)

it('plays a seed again exactly', async () => {
  const folder = tempFolder('sim')
  const play = async () => {
    const { world } = await run({ seed: 'again', folder, customers: 4, days: 120, rates: ROUGH })
    return [world.repository.commits, world.double.events()]
  }
  expect(await play()).toEqual(await play())
}, 60_000)

/** The same ones every time, so that a failure is one of the code and not of the day. */
function* seedsUntil(until: number): Generator<string> {
  for (let n = 0; performance.now() < until; n++) yield `year ${n}`
}

async function described(options: RunOptions, faults: readonly string[]): Promise<string> {
  const { seed, customers, days } = await shrink(options)
  return `seed "${seed}":\n${faults.map((fault) => `  ${fault}\n`).join('')}again: SIM_SEED="${seed}" SIM_CUSTOMERS=${customers} SIM_DAYS=${days} npx vitest run test/sim/year.test.ts`
}
