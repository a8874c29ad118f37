/**
 * `kill -9` of the controller at random moments under a stream of purchases, again and again (real SQ where there is one,
 * otherwise the bundled one). In the end every payment has exactly one tenant, no slot is oversold, no id was used twice, every
 * key works, and nothing is left over. TENANTRY_LONG=1 kills a hundred times.
 */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { listProcesses } from '../../controller/runtime/process/process-table.ts'
import { makeInstallation, type Installation } from '../support/installation.ts'
import { cloneRepository, gitIn } from '../support/repository.ts'
import { openShop, type Shop } from '../support/stripe.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { statusOf } from './requests.ts'

const LONG = process.env['TENANTRY_LONG'] === '1'
const KILLS = LONG ? 100 : 8
const PURCHASES_PER_ROUND = 5
const FOUNDER_SLOTS_LEFT = 7

it(`survives ${KILLS} kills`, { timeout: LONG ? 3_600_000 : 90_000 }, async () => {
  const shop = await openShop(() => `${installation.run.localUrl}/api/stripe/webhook`, { retryMs: [40], faults: () => ({ copies: 1 + Math.floor(Math.random() * 2), delayMs: Math.random() * 50 }) })
  const installation = makeInstallation(path.join(tempFolder(), 'home'), shop.environment)
  await installation.start()
  const repository = path.join(installation.home, 'tenants.git')
  const slots = await fewFounders(installation, repository)

  const sessions: string[] = []
  for (let kill = 0; kill < KILLS; kill++) {
    sessions.push(...(await purchasesUntilKilled(installation, shop, kill)))
    // Sometimes in the middle of the start, sometimes in full run.
    const started = installation.start()
    const failure = started.then(() => undefined, (error: unknown) => error)
    if (Math.random() < 0.3) {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 1500))
      await installation.kill('SIGKILL')
      // It may have been up already: then the kill met it in full run.
      const error = await failure
      if (error !== undefined) expect(String(error)).toContain('SIGKILL')
      await installation.start()
    } else {
      await started
    }
  }

  await waitFor(() => sessions.every((session) => tenantsOf(repository, session).length > 0), 'every payment has a tenant', 30_000)
  await waitFor(async () => (await installation.metric('tenantry_inbox_events{state="pending"}')) === 0 && (await installation.metric('tenantry_workqueue_depth')) === 0, 'nothing is pending', 30_000)
  const tenants = sessions.map((session) => tenantsOf(repository, session))
  expect(tenants.filter((ids) => ids.length !== 1)).toEqual([])
  expect(new Set(tenants.flat()).size).toBe(sessions.length)

  const added = gitIn(repository, 'log', '--diff-filter=A', '--name-only', '--format=', 'main', '--', 'tenants').split('\n').map((file) => path.basename(file, '.yaml'))
  expect(added.filter((id, index) => added.indexOf(id) !== index)).toEqual([])
  const founders = gitIn(repository, 'grep', '--name-only', '-e', 'plan: sq-founder', 'main', '--', 'tenants').split('\n')
  const ended = gitIn(repository, 'grep', '--name-only', '-e', 'state: ended', 'main', '--', 'tenants').split('\n')
  expect(founders.filter((file) => !ended.includes(file)).length).toBe(slots)

  const { localUrl } = installation.run
  const shards = readdirSync(path.join(installation.home, 'sq'))
  // A tenant's instance key stands there too: it opens SQ, and nothing at the gateway.
  const keys = new Map(shards.flatMap((shard) => Object.entries(installation.tenantsJson(shard).tenants)).flatMap(([key, { name, key_id: id }]) => (id === 'INSTANCE' ? [] : [[name, key]])))
  const statuses = await Promise.all(tenants.flat().map(async (id) => `${id} ${await statusOf(localUrl, keys.get(id) ?? 'none')}`))
  expect(statuses.filter((line) => !line.endsWith(' 200'))).toEqual([])
  expect(await installation.sqs()).toHaveLength(shards.length)
  const gateways = (await listProcesses()).filter(({ args }) => args.includes(installation.home) && args.some((argument) => argument.endsWith('gateway/main.ts')))
  expect(gateways).toHaveLength(1)
})

async function fewFounders(installation: Installation, repository: string): Promise<number> {
  const slots = (await installation.metric('tenantry_plan_slots{plan="sq-founder",kind="taken"}'))! + FOUNDER_SLOTS_LEFT
  const clone = cloneRepository(repository)
  clone.edit('plans/sq-founder.yaml', (text) => text.replace('slots: 500', `slots: ${slots}`))
  clone.edit('plans/sq-standard.yaml', (text) => text.replace('amount: 1500', 'amount: 1000'))
  // Ids below 20 are all that there are: nobody moves, and new shards begin in the middle of the kills.
  clone.edit('products/sq.yaml', (text) => text.replace('tenantsPerShard: 500', `tenantsPerShard: ${LONG ? 200 : 20}`))
  await installation.takenIn(clone.push('few founders, a successor for the same price, small shards'))
  return slots
}

/** Pays at random moments and kills the controller at another. */
async function purchasesUntilKilled(installation: Installation, shop: Shop, round: number): Promise<string[]> {
  const sessions = await Promise.all(Array.from({ length: PURCHASES_PER_ROUND }, (_, n) => shop.order({ plan: 'sq-founder', username: `buyer-${round}-${n}` })))
  const atRandom = (act: () => unknown): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, Math.random() * 300)).then(act)
  await Promise.all([...sessions.map((session) => atRandom(() => shop.double.pay(session))), atRandom(() => installation.kill('SIGKILL'))])
  return sessions
}

function tenantsOf(repository: string, session: string): string[] {
  try {
    return gitIn(repository, 'grep', '--name-only', '--fixed-strings', '-e', session, 'main', '--', 'tenants').split('\n').map((file) => path.basename(file, '.yaml'))
  } catch {
    return [] // git grep ends with 1 where nothing is found
  }
}
