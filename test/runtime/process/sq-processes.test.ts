/** The supervision of SQ processes: started once, found again, restarted when they end, and never hammered. */
import { chmodSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { freePort } from '../../../controller/runtime/process/sq-launch.ts'
import { listProcesses, sqOf, stillRuns } from '../../../controller/runtime/process/process-table.ts'
import { keyOf, SHARD, statusWith, supervise, type Supervisor } from '../../sq/support.ts'
import { userId } from '../../support/specs.ts'
import { tempFolder } from '../../support/temp.ts'
import { waitFor } from '../../support/wait.ts'

async function pidsOf({ folders }: Supervisor): Promise<number[]> {
  return (await listProcesses()).flatMap((process) => (sqOf(process)?.config === folders.config(SHARD) ? [process.pid] : []))
}

async function killOne(supervisor: Supervisor): Promise<void> {
  const [pid] = await pidsOf(supervisor)
  process.kill(pid!, 'SIGKILL')
}

describe('an SQ process', () => {
  test('is adopted by the next controller: the same process, the same port, no restart', async () => {
    const home = tempFolder('sq')
    const first = supervise(home)
    const { port } = await first.shards.sync(SHARD)
    const before = await pidsOf(first)
    const second = supervise(home)
    expect(await second.shards.sync(SHARD)).toEqual({ port, repairs: [{ action: 'sq-adopted', drift: [] }] })
    expect(await pidsOf(second)).toEqual(before)
    expect(second.counts.reloads).toBe(0)
    await second.processes.stop(SHARD)
    expect(await pidsOf(second)).toEqual([])
  })

  test('that was stopped is started on its port by the next controller', async () => {
    const home = tempFolder('sq')
    const first = supervise(home)
    const { port } = await first.shards.sync(SHARD)
    await first.processes.stop(SHARD)
    expect((await supervise(home).shards.sync(SHARD)).port).toBe(port)
  })

  test('that ends is reported at once, and started again on its port with the end named', async () => {
    const supervisor = supervise()
    const { shards, exits, counts } = supervisor
    const { port } = await shards.sync(SHARD)
    await killOne(supervisor)
    await waitFor(() => exits.length === 1, 'the end is reported')
    const state = await shards.sync(SHARD)
    expect(state).toEqual({ port, repairs: [{ action: 'sq-started', drift: [{ field: 'sq/sq-000/process', wanted: 'running', found: 'ended' }] }] })
    expect(await statusWith(port, keyOf(userId(1)))).toBe(200)
    expect(counts.moves).toBe(0)
  })

  test('that was adopted and ends is noticed by the process table', async () => {
    const home = tempFolder('sq')
    await supervise(home).shards.sync(SHARD)
    const second = supervise(home)
    await second.shards.sync(SHARD)
    await second.processes.checkAdopted()
    expect(second.exits).toEqual([])
    await killOne(second)
    await waitFor(async () => (await second.processes.checkAdopted(), second.exits.length === 1), 'the end is reported')
    expect(second.processes.isUp(SHARD)).toBe(false)
    await second.shards.sync(SHARD)
  })

  test('that keeps ending waits longer each time, and says until when', async () => {
    const supervisor = supervise()
    const { shards, exits } = supervisor
    for (let n = 1; n <= 3; n++) {
      await waitFor(() => shards.sync(SHARD).then(() => true), 'it runs')
      await killOne(supervisor)
      await waitFor(() => exits.length === n, 'the end is reported')
    }
    const error = await shards.sync(SHARD).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ reason: 'SqCrashLoop', next: { kind: 'waiting' } })
    const { next } = error as { next: { until: string } }
    expect(Date.parse(next.until) - Date.now()).toBeGreaterThan(100)
    await waitFor(() => shards.sync(SHARD).then(() => true), 'it is started again by then')
  })

  test('moves to another port where its own is taken, and says so', async () => {
    const supervisor = supervise()
    const { port } = await supervisor.shards.sync(SHARD)
    await supervisor.processes.stop(SHARD)
    const other = createServer().listen(port, '0.0.0.0')
    await new Promise((resolve) => other.once('listening', resolve))
    onTestFinished(() => void other.close())
    const moved = await supervisor.shards.sync(SHARD)
    expect(moved.port).not.toBe(port)
    expect(supervisor.counts.moves).toBe(1)
  })

  test('whose program is missing waits for a person; one that ends at once says where its log is', async () => {
    await expect(supervise(tempFolder('sq'), ['/nonexistent/sq']).shards.sync(SHARD)).rejects.toMatchObject({ reason: 'SqCannotStart', next: { kind: 'stalled' } })
    const program = path.join(tempFolder('sq'), 'sq')
    writeFileSync(program, '#!/bin/sh\nexit 3\n')
    chmodSync(program, 0o755)
    const supervisor = supervise(tempFolder('sq'), [program])
    await expect(supervisor.shards.sync(SHARD)).rejects.toMatchObject({ reason: 'SqDoesNotStart', message: expect.stringContaining(supervisor.folders.log(SHARD)) as string })
  })
})

describe('the process table', () => {
  const found = (command: string) => sqOf({ pid: 1, args: command.split(' ') })

  test('knows an SQ by its command line, whichever program runs it', () => {
    expect(found('/usr/bin/sq host 1337 --config /h/sq/sq-000/tenants.json')).toEqual({ port: 1337, config: '/h/sq/sq-000/tenants.json' })
    expect(found('node --no-warnings main.ts host 80 --config /c')).toEqual({ port: 80, config: '/c' })
  })

  test.each(['sq host 1337 --key k --data-dir d', 'sq host x --config /c', 'sq --config /c host 1', 'sq host 1 --config', 'host', 'vi tenants.json'])('takes nothing else for one: %s', (command) => {
    expect(found(command)).toBeUndefined()
  })

  test('tells a process that runs from one that is gone and from another under its id', async () => {
    expect(await stillRuns(process.pid, process.argv[0]!)).toBe(true)
    expect(await stillRuns(process.pid, '/nobody/tenants.json')).toBe(false)
    expect(await stillRuns(2 ** 22 + 1, process.argv[0]!)).toBe(false)
  })

  test('a port that is taken is not given', async () => {
    const server = createServer().listen(0, '0.0.0.0')
    await new Promise((resolve) => server.once('listening', resolve))
    onTestFinished(() => void server.close())
    const { port } = server.address() as { port: number }
    expect(await freePort(port)).not.toBe(port)
  })
})
