/** A shard is as wanted once SQ itself says so: its file, its process, and the keys that open. */
import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { SqInstances } from '../../controller/sq/instance.ts'
import { shardFolders } from '../../controller/sq/files.ts'
import { createShards } from '../../controller/sq/shards.ts'
import { userId } from '../support/specs.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { keyOf, SHARD, statusWith, supervise } from './support.ts'

const [ADA, BOB, CARA] = [keyOf(userId(1)), keyOf(userId(2)), keyOf(userId(3))] as const

describe('a shard', () => {
  test('serves exactly its members once a sync has resolved', async () => {
    const { shards, members, folders } = supervise()
    const { port, repairs } = await shards.sync(SHARD)
    expect(repairs).toEqual([{ action: 'file-written', drift: [] }, { action: 'sq-started', drift: [] }])
    expect([await statusWith(port, ADA), await statusWith(port, BOB), await statusWith(port, CARA)]).toEqual([200, 200, 401])
    expect(statSync(folders.config(SHARD)).mode & 0o777).toBe(0o600)
    members.delete(1)
    members.add(3)
    shards.invalidate(SHARD)
    expect(await shards.sync(SHARD)).toEqual({ port, repairs: [{ action: 'file-written', drift: [] }] })
    expect([await statusWith(port, ADA), await statusWith(port, BOB), await statusWith(port, CARA)]).toEqual([401, 200, 200])
  })

  test('that is as wanted costs no look at it, and a distrusted one no change', async () => {
    const { shards, counts, folders } = supervise()
    const { port } = await shards.sync(SHARD)
    const before = { ...counts, mtime: statSync(folders.config(SHARD)).mtimeMs }
    expect(await shards.sync(SHARD)).toEqual({ port, repairs: [] })
    shards.distrust(SHARD)
    expect(await shards.sync(SHARD)).toEqual({ port, repairs: [] })
    shards.invalidate(SHARD)
    expect(await shards.sync(SHARD)).toEqual({ port, repairs: [] })
    expect(counts.reloads).toBe(before.reloads)
    expect(statSync(folders.config(SHARD)).mtimeMs).toBe(before.mtime)
  })

  test('many members that ask at once share rounds', async () => {
    const { shards, counts, members } = supervise()
    await shards.sync(SHARD)
    counts.renders = 0
    for (let n = 3; n <= 52; n++) {
      members.add(n)
      shards.invalidate(SHARD)
    }
    const states = await Promise.all(Array.from({ length: 50 }, () => shards.sync(SHARD)))
    expect(new Set(states.map(({ port }) => port)).size).toBe(1)
    expect(await statusWith(states[0]!.port, keyOf(userId(52)))).toBe(200)
    expect(counts.renders).toBeLessThanOrEqual(2)
  })

  test('a member that comes during a round is served when its own sync resolves', async () => {
    const { shards, members } = supervise()
    const first = shards.sync(SHARD)
    members.add(3)
    shards.invalidate(SHARD)
    const { port } = await shards.sync(SHARD)
    expect(await statusWith(port, CARA)).toBe(200)
    await first
  })

  test.each([
    ['deleted', (file: string) => rmSync(file), 'deleted'],
    ['emptied', (file: string) => writeFileSync(file, ''), 'changed by hand'],
    ['made readable for others', (file: string) => chmodSync(file, 0o644), 'mode 644'],
  ])('whose file was %s has it back, and the repair says so', async (_name, damage, found) => {
    const { shards, folders } = supervise()
    const { port } = await shards.sync(SHARD)
    const file = folders.config(SHARD)
    const wanted = readFileSync(file, 'utf8')
    damage(file)
    shards.distrust(SHARD)
    const { repairs } = await shards.sync(SHARD)
    expect(repairs).toEqual([{ action: 'file-written', drift: [{ field: 'sq/sq-000/tenants.json', wanted: 'as rendered, mode 600', found }] }])
    expect(readFileSync(file, 'utf8')).toBe(wanted)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(await statusWith(port, ADA)).toBe(200)
  })

  test('a key that was put into the file by hand and loaded opens nothing any more', async () => {
    const { shards, folders, processes } = supervise()
    const { port } = await shards.sync(SHARD)
    const file = folders.config(SHARD)
    writeFileSync(file, readFileSync(file, 'utf8').replace('"tenants": {', `"tenants": {\n    "intruder": { "name": "x", "data_dir": "${folders.probe(SHARD)}" },`))
    await processes.reload(SHARD, port)
    await waitFor(async () => (await statusWith(port, 'intruder')) === 200, 'the edit is loaded')
    shards.distrust(SHARD)
    await shards.sync(SHARD)
    await waitFor(async () => (await statusWith(port, 'intruder')) === 401, 'the edit is gone')
    expect(await statusWith(port, ADA)).toBe(200)
  })

  test('that is stopped has no port, and comes back with the next sync', async () => {
    const { shards } = supervise()
    const { port } = await shards.sync(SHARD)
    await shards.stop(SHARD)
    expect(shards.portOf(SHARD)).toBeUndefined()
    await expect(statusWith(port, ADA)).rejects.toThrow()
    const again = await shards.sync(SHARD)
    expect(again.port).toBe(port)
    expect(await statusWith(again.port, ADA)).toBe(200)
  })
})

/** An SQ whose map the test decides. */
async function stubborn(loads: (reloads: number, restarts: number) => boolean): Promise<{ readonly instances: SqInstances; readonly count: { reloads: number; restarts: number } }> {
  const count = { reloads: 0, restarts: 0 }
  const server = createServer((_request, response) => response.writeHead(loads(count.reloads, count.restarts) ? 200 : 401).end())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const running = (): Promise<{ port: number; action: 'none'; drift: [] }> => Promise.resolve({ port, action: 'none', drift: [] })
  return {
    count,
    instances: {
      ensure: running,
      reload: () => Promise.resolve(void count.reloads++),
      restart: () => (count.restarts++, running()),
      stop: () => Promise.resolve(),
      isUp: () => true,
    },
  }
}

describe('acceptance', () => {
  const shardsOf = (instances: SqInstances) => createShards({ folders: shardFolders(tempFolder('sq')), instances: () => instances, render: () => ({ text: '{}', probeKey: 'probe' as never, about: '' }), probeKeyOf: () => 'probe', onMoved: () => undefined })

  test('is asked again until the reload is done', async () => {
    const { instances, count } = await stubborn((reloads) => reloads >= 2)
    await shardsOf(instances).sync(SHARD)
    expect(count).toEqual({ reloads: 2, restarts: 0 })
  })

  test('an SQ that never takes the file is restarted, and one that does not even then is an error, not a success', async () => {
    const [late, never] = await Promise.all([stubborn((_, restarts) => restarts > 0), stubborn(() => false)])
    const shards = shardsOf(never.instances)
    const results = await Promise.allSettled([shardsOf(late.instances).sync(SHARD), shards.sync(SHARD)])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(results[1]).toMatchObject({ reason: { reason: 'SqRefusesConfiguration', next: { kind: 'transient' } } })
    expect([late.count.restarts, never.count.restarts]).toEqual([1, 1])
    expect(shards.portOf(SHARD)).toBeUndefined()
  })
})
