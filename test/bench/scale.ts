/**
 * What the number of tenants costs: starts, one changed file, a look at everything, memory. Through the real program and one
 * SQ for each five hundred tenants, watched from outside: by what customers' keys get, by files, and by the process table.
 */
import { readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { createRepository } from '../../controller/git/repository.ts'
import { openStore, type Store } from '../../controller/store/db.ts'
import { waitFor } from '../support/wait.ts'
import { createCustomers, keyOf, onGround, pause, tenantPath, tenantText, type Ground } from './ground.ts'
import { anchor, atMost, median, rounded, under, type Bench, type BenchResult } from './result.ts'

const TENANTS_A_SHARD = 500
const STARTS_WITHIN_MS = 240_000
const RESYNC_SECONDS = 10
const CALM_MS = 1_000

export const bench: Bench = async ({ short }) => {
  const results: BenchResult[] = []
  const changes: number[] = []
  const sizes = short ? [500, 2_000] : [1_000, 10_000, 100_000]
  for (const tenants of sizes) {
    const largest = tenants === sizes.at(-1)
    await onGround({ tenants, settings: { TENANTRY_RESYNC_SECONDS: String(RESYNC_SECONDS) } }, async (ground) => {
      const first = await start(ground, tenants)
      const change = await oneChange(ground, tenants, short ? 5 : 20)
      changes.push(change.figure)
      results.push(change)
      if (!largest) return
      results.push(...(await atRest(ground, tenants, first)))
    })
  }
  results.push(atMost(`one changed file, ${sizes.at(-1)} tenants against ${sizes[0]}`, changes.at(-1)! / changes[0]!, 'times', 2, ''))
  return results
}

interface Started {
  /** Seconds until the program says that it is ready, and until customers of every shard are served. */
  readonly readyS: number
  readonly servedS: number
  /** Of the program alone, until nothing was left to do. */
  readonly processorS: number
  readonly peakMb: number
}

async function start({ program }: Ground, tenants: number): Promise<Started> {
  const begun = performance.now()
  const seconds = (): number => (performance.now() - begun) / 1000
  const { port } = await program.start()
  const readyS = seconds()
  const customers = createCustomers(port)
  // Several of every shard: the program takes them in in no order that a bench may rely on.
  for (let n = 1; n <= tenants; n += TENANTS_A_SHARD / 4 - 1) await customers.untilWorks(keyOf(n), STARTS_WITHIN_MS)
  await customers.untilWorks(keyOf(tenants), STARTS_WITHIN_MS)
  customers.close()
  const servedS = seconds()
  await waitFor(async () => (await program.metric('tenantry_workqueue_depth')) === 0, 'nothing is left to do', STARTS_WITHIN_MS)
  const { processorS, peakMb } = program.usage()
  const { ready } = (await program.overview()).tenants
  if (ready !== tenants) throw new Error(`${ready} of ${tenants} tenants are ready`)
  return { readyS, servedS, processorS, peakMb }
}

/** A commit that gives one tenant another key: from moving the branch to the new key storing, which takes SQ and the gateway's route. */
async function oneChange({ home, program, atEnd }: Ground, tenants: number, rounds: number): Promise<BenchResult> {
  const repository = await createRepository({ location: path.join(home, 'tenants.git'), branch: 'main', mirrorFolder: '', environment: process.env, now: () => new Date() })
  atEnd(() => repository.close())
  const customers = createCustomers(program.run.port)
  const times: number[] = []
  const commits: number[] = []
  for (let round = 1; round <= rounds; round++) {
    const n = 1 + Math.floor((round / (rounds + 1)) * tenants)
    await pause(CALM_MS / 4)
    const begun = performance.now()
    const { kind } = await repository.commit((await repository.tip())!, { message: `bench: change ${round}`, author: { name: 'Bench', email: 'bench@example.com' }, files: [{ path: tenantPath(n), text: tenantText(n, round) }] })
    const landed = performance.now()
    if (kind !== 'committed') throw new Error('somebody else commits here')
    times.push((await customers.untilWorks(keyOf(n, round))) - landed)
    commits.push(landed - begun)
  }
  customers.close()
  const detail = `${rounds} commits, median; max ${rounded(Math.max(...times))} ms; the commit itself took ${rounded(median(commits))} ms before`
  return under(`one changed file in force, ${tenants} tenants`, median(times), 'ms', 100, detail)
}

async function atRest(ground: Ground, tenants: number, first: Started): Promise<BenchResult[]> {
  const { program } = ground
  const firstMemory = await memory(ground)
  const pass = await lookAtEverything(ground, tenants)
  await program.stop('SIGTERM')
  const adopted = await start(ground, tenants)
  const memoryAfter = await memory(ground)
  await program.stop('SIGINT')
  const cold = await start(ground, tenants)
  const served = (started: Started): string => `ready after ${rounded(started.readyS)} s, all sampled keys work after ${rounded(started.servedS)} s; ${rounded(started.processorS)} s of processor time, peak ${rounded(started.peakMb)} MiB`
  return [
    ...pass,
    under(`first start, ${tenants} tenants`, first.servedS, 's', 30, served(first)),
    under(`start with cached specs, ${tenants} tenants, SQ runs on`, adopted.servedS, 's', 5, served(adopted)),
    under(`start with cached specs, ${tenants} tenants, SQ stopped`, cold.servedS, 's', 5, served(cold)),
    under(`memory of the controller, ${tenants} tenants, first start`, firstMemory.residentMb, 'MiB', 600, `heap ${rounded(firstMemory.heapMb)} MiB`),
    under(`memory of the controller, ${tenants} tenants, later start`, memoryAfter.residentMb, 'MiB', 600, `heap ${rounded(memoryAfter.heapMb)} MiB`),
  ]
}

/** After settling: two looks at everything later. */
async function memory({ program }: Ground): Promise<{ residentMb: number; heapMb: number }> {
  await pause(2 * RESYNC_SECONDS * 1000)
  return { residentMb: program.usage().residentMb, heapMb: (await program.metric('nodejs_heap_size_used_bytes')) / 1024 / 1024 }
}

async function lookAtEverything({ program, home }: Ground, tenants: number): Promise<BenchResult[]> {
  const store = openStore(path.join(home, 'store.db'), 'rebuildable')
  try {
    const total = async (): Promise<{ count: number; seconds: number }> => ({ count: await program.metric('tenantry_resync_duration_seconds_count'), seconds: await program.metric('tenantry_resync_duration_seconds_sum') })
    const before = standing(home, store)
    const from = await total()
    await pause((3 * RESYNC_SECONDS + 1) * 1000)
    const to = await total()
    const changed = standing(home, store) === before ? 0 : 1
    const scrapes: number[] = []
    for (let n = 0; n < 5; n++) {
      const begun = performance.now()
      await program.metric('tenantry_ready')
      scrapes.push(performance.now() - begun)
    }
    return [
      under(`a pass with nothing to do, ${tenants} tenants`, (to.seconds - from.seconds) / (to.count - from.count), 's', 1, `mean of ${to.count - from.count}`),
      atMost(`changes made by ${to.count - from.count} passes with nothing to do`, changed, 'changes', 0, 'files of SQ and the gateway, and the store, looked at before and after'),
      anchor(`a scrape of /metrics, ${tenants} tenants`, median(scrapes), 'ms', 'median of 5'),
    ]
  } finally {
    store.close()
  }
}

/** A text that is another one as soon as anything was written. */
function standing(home: string, store: Store): string {
  const files = ['sq', 'gateway'].flatMap((folder) => (readdirSync(path.join(home, folder), { recursive: true }) as string[]).filter((name) => /(tenants\.json|snapshot|log-[^/]+)$/.test(name)).map((name) => path.join(home, folder, name)))
  const marks = files.sort().map((file) => {
    const { ino, mtimeMs, size } = statSync(file)
    return `${file} ${ino} ${mtimeMs} ${size}`
  })
  return [JSON.stringify(store.prepare('PRAGMA data_version').get()), ...marks].join('\n')
}
