/** How names get their scrolls, over the real SQ: many threads at once, and a death between any two steps. */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { coordinateOfPlace, namesPhext } from '../../../controller/core/named-scroll.ts'
import { writeCoordinate } from '../../../controller/core/phext-walk.ts'
import type { Granted } from '../../../controller/gateway/access.ts'
import { createAdmission } from '../../../controller/gateway/admission.ts'
import { createByteBudget } from '../../../controller/gateway/byte-budget.ts'
import { createClearance } from '../../../controller/gateway/clearance.ts'
import { createForwarder } from '../../../controller/gateway/forward.ts'
import { readDirectory } from '../../../controller/gateway/names/directory.ts'
import { createNames, type Names, type NamedScroll } from '../../../controller/gateway/names/names.ts'
import { createRouteTable } from '../../../controller/gateway/route-table.ts'
import { DEFAULT_SETTINGS } from '../../../controller/gateway/settings.ts'
import { createPhextVersions, phextVersionsBuffer } from '../../../controller/gateway/shared/phext-versions.ts'
import { createSqCaller, type SqCaller } from '../../../controller/gateway/sq-caller.ts'
import { newFolder, startSq, type Program } from '../../sq/bundled/programs.ts'
import { has } from '../../support/parts.ts'
import { digestOf, makeKey, recordingLog, routeFor } from '../gateway-fixture.ts'

const THREADS = 4

interface Thread {
  readonly names: Names
  readonly caller: SqCaller
}

/** `between`: stands before SQ in every thread. */
function setUp(sq: Program, key: string, between: (caller: SqCaller) => SqCaller = (caller) => caller): { access: Granted; threads: Thread[] } {
  const table = createRouteTable()
  const upstream = { host: '127.0.0.1', port: sq.port }
  table.apply({ put: routeFor('user001', key, { upstream }) })
  const access: Granted = { kind: 'granted', key, entry: table.findKey(digestOf(key))!, upstream }
  const buffer = phextVersionsBuffer(THREADS)
  const storage = { reserve: (...parts: unknown[]) => (parts[5] as (decision: unknown) => void)({ kind: 'reserved', settle: () => undefined }), exported: () => undefined }
  const threads = Array.from({ length: THREADS }, (_, lane) => {
    const versions = createPhextVersions(buffer, lane)
    const clearance = createClearance({ routes: { links: {}, facts: {} } as never, storage: storage as never, versions })
    const forward = createForwarder({ admission: createAdmission({ connections: 500, connectionsPerTenant: 64, prompt: 8, queue: 1_000, queuePerTenant: 1_000 }, () => performance.now()), settings: DEFAULT_SETTINGS, log: recordingLog([]), now: () => performance.now() })
    const caller = between(createSqCaller({ clearance, forward, budget: createByteBudget(1e9) }))
    return { caller, names: createNames({ caller, versions, hasPhext: () => Promise.resolve(undefined) }) }
  })
  return { access, threads }
}

const targetOf = ({ phext, coordinate }: NamedScroll, command: string): string => `/api/v2/${command}?p=${encodeURIComponent(phext)}&c=${writeCoordinate(coordinate)}`

async function scrollOf(names: Names, access: Granted, phext: string, name: string): Promise<NamedScroll> {
  const found = await names.allocate(access, phext, name)
  if (found.kind === 'refused') throw new Error(found.refusal.detail)
  return found.scroll
}

describe.skipIf(!has('sq'))('a name', () => {
  const key = makeKey()
  let sq: Program

  beforeAll(async () => {
    const folder = newFolder()
    mkdirSync(path.join(folder, 'data/user001'))
    writeFileSync(path.join(folder, 'config.json'), JSON.stringify({ tenants: { [key]: { name: 'user001', data_dir: 'data/user001' } } }))
    sq = await startSq('real', folder, ['--config', 'config.json'])
    return () => sq.stop()
  })

  it('gets one scroll, and no other name gets it, from however many threads at once', { timeout: 30_000 }, async () => {
    const { access, threads } = setUp(sq, key)
    const wanted = Array.from({ length: 15 }, (_, at) => `name-${at}`)
    const results: { name: string; at: string }[] = []
    await Promise.all(
      threads.flatMap(({ names }) =>
        Array.from({ length: 3 }, async () => {
          for (const name of wanted.toSorted(() => Math.random() - 0.5)) results.push({ name, at: writeCoordinate((await scrollOf(names, access, 'many', name)).coordinate) })
        }),
      ),
    )
    const byName = Map.groupBy(results, ({ name }) => name)
    for (const [name, got] of byName) expect(new Set(got.map(({ at }) => at)).size, name).toBe(1)
    expect(new Set(results.map(({ at }) => at)).size).toBe(wanted.length)
    const { threads: later } = setUp(sq, key)
    for (const name of wanted) expect(writeCoordinate((await scrollOf(later[0]!.names, access, 'many', name)).coordinate)).toBe(byName.get(name)![0]!.at)
  })

  it('never shares a scroll, and no text is lost, wherever in between the gateway dies', { timeout: 60_000 }, async () => {
    for (const delivered of [false, true]) {
      for (let step = 1; step <= 10; step++) {
        const phext = `death-${delivered}-${step}`
        const written = new Map<string, string>()
        let calls = 0
        /** At one call everything ends: what was not sent stays unsent, and no answer comes any more. */
        const dying = (caller: SqCaller): SqCaller => ({
          ...caller,
          async call(...call) {
            calls++
            if (calls > step || (calls === step && !delivered)) return new Promise(() => undefined)
            const reply = await caller.call(...call)
            return calls >= step ? new Promise(() => undefined) : reply
          },
        })
        const live = async ({ names, caller }: Thread, access: Granted, name: string): Promise<void> => {
          const scroll = await scrollOf(names, access, phext, name)
          const reply = await caller.call(access, { method: 'POST', target: targetOf(scroll, 'update'), body: Buffer.from(`text of ${name}`) })
          if (reply.kind === 'answered' && reply.status === 200) written.set(name, `text of ${name}`)
        }
        const before = setUp(sq, key, dying)
        const death = Promise.race([Promise.all(['a', 'b'].map((name) => live(before.threads[0]!, before.access, name))), untilQuiet(() => calls)])
        await death
        const after = setUp(sq, key)
        for (const name of ['c', 'b', 'd', 'a']) await live(after.threads[1]!, after.access, name)
        const scrolls = new Map<string, string>()
        for (const [name, text] of written) {
          const scroll = await scrollOf(after.threads[2]!.names, after.access, phext, name)
          const reply = await after.threads[2]!.caller.call(after.access, { method: 'GET', target: targetOf(scroll, 'select') })
          expect(reply, `${phext} ${name}`).toMatchObject({ body: Buffer.from(text) })
          scrolls.set(writeCoordinate(scroll.coordinate), name)
        }
        expect(scrolls.size).toBe(4)
      }
    }
  })

  it('does not get the scroll of a text whose name SQ lost in a crash: that text stays, under a name of its own', async () => {
    const { access, threads } = setUp(sq, key)
    const [{ names, caller }] = threads as [Thread]
    const write = (target: string, body: string) => caller.call(access, { method: 'POST', target, body: Buffer.from(body) })
    for (const name of ['first', 'lost']) await write(targetOf(await scrollOf(names, access, 'crash', name), 'update'), `text of ${name}`)
    await caller.call(access, { method: 'GET', target: targetOf({ phext: namesPhext('crash'), coordinate: coordinateOfPlace(1) }, 'delete') })
    const scroll = await scrollOf(names, access, 'crash', 'new')
    expect(scroll.coordinate).toEqual(coordinateOfPlace(2))
    await write(targetOf(scroll, 'update'), 'text of new')
    expect(await names.list(access, 'crash')).toMatchObject({ names: [{ name: 'first', text: 'text of first' }, { name: '~lost.1', text: 'text of lost' }, { name: 'new', text: 'text of new' }] })
    expect(await names.list(access, 'crash', 'f')).toMatchObject({ names: [{ name: 'first' }] })
  })
})

/** Nothing has been asked of SQ for a while: whoever is left waits for an answer that never comes. */
async function untilQuiet(count: () => number): Promise<void> {
  for (let seen = -1; seen !== count(); ) {
    seen = count()
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

it('a list says of each name where it is, whatever else its scrolls hold', () => {
  const directory = readDirectory('a\nb\n\u0017b\n\u0017c\na\n\u0018\u0017d\n')
  expect([...directory.names]).toEqual([['a', 0], ['b', 1], ['c', 2], ['d', 1000]])
  expect([directory.nameAt(1), directory.nameAt(999), directory.next]).toEqual(['b', undefined, 1001])
  expect(readDirectory('')).toMatchObject({ next: 0, bytes: 0 })
})
