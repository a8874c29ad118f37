/** `tenantry export` beside a whole installation: what the customer would get, in every state of the account, and an import after a kill. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RunFile } from '../../controller/cli/run-file.ts'
import { listProcesses } from '../../controller/runtime/process/process-table.ts'
import { makeInstallation } from '../support/installation.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'

interface Exported {
  readonly file: string
  readonly phexts: number
  readonly failed: readonly unknown[]
}

const home = path.join(tempFolder('export'), 'home')
const out = tempFolder('archives')
const installation = makeInstallation(home, {}, afterAll)
let run: RunFile
const keys: string[] = []

const ask = (key: string, target: string, init: RequestInit = {}): Promise<Response> => fetch(`${run.localUrl}/api/v2/${target}`, { ...init, headers: { Authorization: `Bearer ${key}` } })
const dataOf = (tenant: string): string => path.join(home, 'sq/sq-000/data', tenant)
const files = (folder: string): Record<string, string> => Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(path.join(folder, name), 'utf8')]))
const exportTo = (name: string): Promise<Exported> => installation.json<Exported>('export', 'user001', '--out', path.join(out, name))

function unpacked(file: string): Record<string, string> {
  const folder = tempFolder('unpacked')
  execFileSync('tar', ['xf', file, '-C', folder])
  execFileSync('sha256sum', ['-c', '--quiet', 'SHA256SUMS'], { cwd: folder })
  return files(path.join(folder, 'phexts'))
}

describe('an operator\'s export', () => {
  beforeAll(async () => {
    run = await installation.start()
    for (const tenant of ['user001', 'user004']) keys.push((await installation.json<{ key: string }>('key', 'show', tenant)).key)
    for (const [phext, text] of [['notes', 'one'], ['mit Leerzeichen', 'two'], ['', 'three']]) {
      expect((await ask(keys[0]!, `update?p=${encodeURIComponent(phext!)}&c=1.1.1/1.1.1/1.1.2`, { method: 'POST', body: text! })).status).toBe(200)
    }
  }, 90_000)

  it('is everything that is on disk, and is not counted as the customer\'s use', async () => {
    const usage = async (): Promise<unknown> => ((await (await fetch(`${run.localUrl}/api/usage`, { headers: { Authorization: `Bearer ${keys[0]!}` } })).json()) as { keys: unknown }).keys
    const before = await usage()
    expect(await exportTo('active.tar')).toMatchObject({ phexts: 3, failed: [] })
    expect(unpacked(path.join(out, 'active.tar'))).toEqual(files(dataOf('user001')))
    expect(await usage()).toEqual(before)
    expect(readdirSync(out)).toEqual(['active.tar'])
  })

  it('goes into another tenant, also when the gateway is killed in the middle of it', async () => {
    const big = Array.from({ length: 40 }, (_, at) => `${at} ${'x'.repeat(400_000)}`)
    for (const [at, text] of big.entries()) expect((await ask(keys[0]!, `update?p=big${at}&c=1.1.1/1.1.1/1.1.3`, { method: 'POST', body: text })).status).toBe(200)
    const { file } = await exportTo('big.tar')
    const archive = readFileSync(file)
    const imported = (): number => readdirSync(dataOf('user004')).length
    const before = imported()
    const first = ask(keys[1]!, 'import', { method: 'POST', body: archive as never }).then(() => 'answered', () => 'cut off')
    await waitFor(() => imported() > before + 5, 'some phexts are there')
    for (const { pid, args } of await listProcesses()) if (args.includes(home) && args.some((arg) => arg.endsWith('gateway/main.ts'))) process.kill(pid, 'SIGKILL')
    expect(await first).toBe('cut off')
    const again = await waitFor(async () => {
      const answer = await ask(keys[1]!, 'import', { method: 'POST', body: archive as never })
      return answer.status === 200 && ((await answer.json()) as { imported: string[]; unchanged: string[] })
    }, 'the gateway is back and takes the rest', 30_000)
    expect(again.unchanged.length).toBeGreaterThanOrEqual(5)
    expect(again.imported.length + again.unchanged.length).toBe(43)
    const [there, here] = [files(dataOf('user004')), files(dataOf('user001'))]
    for (const name of Object.keys(here)) expect(there[name] === here[name], name).toBe(true)
    expect(await (await ask(keys[1]!, 'select?p=big7&c=1.1.1/1.1.1/1.1.3')).text()).toBe(big[7])
  })

  it('works while the account is suspended, and when nothing runs', async () => {
    await installation.cli('suspend', 'user001')
    await waitFor(async () => (await ask(keys[0]!, 'export')).status === 402, 'the account is suspended')
    expect(unpacked((await exportTo('suspended.tar')).file)).toEqual(files(dataOf('user001')))
    await installation.kill('SIGTERM')
    await installation.cli('down')
    expect(unpacked((await exportTo('down.tar')).file)).toEqual(files(dataOf('user001')))
  })

  it('says what cannot be exported', async () => {
    expect(await installation.cli('export', 'user999')).toMatchObject({ code: 2, stderr: expect.stringContaining('user999') as string })
    expect(await installation.cli('export', '../../etc')).toMatchObject({ code: 2 })
  })
})
