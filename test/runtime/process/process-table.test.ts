/** Which processes are taken for an SQ of ours. */
import { spawn } from 'node:child_process'
import { userInfo } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import { listProcesses, sqOf, stillRuns } from '../../../controller/runtime/process/process-table.ts'
import { waitFor } from '../../support/wait.ts'

const NOBODY = 65534
const started: number[] = []
afterAll(() => started.forEach((pid) => process.kill(pid, 'SIGKILL')))

/** A program whose command line looks like an SQ's. */
async function lookalike(config: string, uid?: number): Promise<number> {
  const child = spawn('/bin/sh', ['-c', 'while :; do read -r line || sleep 60; done', 'host', '39999', '--config', config], { stdio: 'ignore', cwd: '/', ...(uid !== undefined && { uid, gid: uid }) })
  await new Promise((resolve) => child.once('spawn', resolve))
  started.push(child.pid!)
  return child.pid!
}

const configs = async (): Promise<(string | undefined)[]> => (await listProcesses()).map((process) => sqOf(process)?.config)

test('finds a process of this user by its configuration file', async () => {
  const pid = await lookalike('/somewhere/sq/sq-000/tenants.json')
  await waitFor(async () => (await configs()).includes('/somewhere/sq/sq-000/tenants.json'), 'the process is listed')
  expect(await stillRuns(pid, '/somewhere/sq/sq-000/tenants.json')).toBe(true)
  expect(await stillRuns(pid, '/somewhere/else')).toBe(false)
})

// Only root can start a program as somebody else.
test.skipIf(userInfo().uid !== 0)("never takes another user's process for ours, whatever its command line says", async () => {
  const pid = await lookalike('/somewhere/sq/sq-001/tenants.json', NOBODY)
  expect(await stillRuns(pid, '/somewhere/sq/sq-001/tenants.json')).toBe(false)
  expect(await configs()).not.toContain('/somewhere/sq/sq-001/tenants.json')
})
