/**
 * An SQ installation with customers comes over to Tenantry: real SQ with 500 of them and their data, stopped, imported, served. Every
 * key that was ever handed out reads what was stored before, from the very files in which it lay.
 */
import { spawn } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { freePort } from '../gateway/gateway-fixture.ts'
import { startSq } from '../sq/bundled/programs.ts'
import { makeInstallation } from '../support/installation.ts'
import { findProgram, has } from '../support/parts.ts'
import { gitIn } from '../support/repository.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { fetchBack, statusOf, store } from './requests.ts'

const CUSTOMERS = 500
const AT_ONCE = 8

interface Customer {
  readonly name: string
  readonly folder: string
  readonly keys: readonly string[]
}

interface Imported {
  readonly tenants: readonly { readonly name: string; readonly tenant: string; readonly username: string | null }[]
  readonly already: readonly unknown[]
  readonly warnings: readonly string[]
  readonly revision: string | null
}

/** Names that are ids and names that are none, keys of every shape, and here and there a second one. */
function customer(root: string, n: number): Customer {
  const name = n % 3 === 0 ? `agent-${n}` : `user${String(n).padStart(3, '0')}`
  const hex = (seed: number): string => (seed * 7919).toString(16).padStart(8, '0').repeat(5)
  const first = [`pmb-v1-${hex(n)}`, `TVksj59flCBjumWMrzwnUyBIvaADDb9AGAer${String(n).padStart(4, '0')}`, `pmb-v1-demo-user-${n}-abc123`][n % 3]!
  return { name, folder: path.join(root, 'tenants', name), keys: n % 10 === 0 ? [first, `${first}-second`] : [first] }
}

/** SQ closes after each answer without saying so before: a connection is never used again. */
function storeAtSq(port: number, key: string, text: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}`, 'content-length': Buffer.byteLength(text) }
    const asked = request({ port, host: '127.0.0.1', method: 'POST', path: '/api/v2/update?p=notes&c=1.1.1/1.1.1/2.1.1', headers, agent: false }, (answer) => {
      answer.resume()
      answer.once('end', () => resolve(answer.statusCode!))
    })
    asked.once('error', reject)
    asked.end(text)
  })
}

const textOf = ({ name }: Customer): string => `what ${name} remembers`

async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items]
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let item = queue.pop(); item !== undefined; item = queue.pop()) await work(item)
  }))
}

describe.skipIf(!has('sq'))('import of an SQ with 500 customers', () => {
  const root = tempFolder('old-sq')
  const customers = Array.from({ length: CUSTOMERS }, (_, index) => customer(root, index + 1))
  const config = path.join(root, 'tenants.json')
  const installation = makeInstallation(path.join(tempFolder(), 'home'), {}, afterAll)
  const repository = path.join(installation.home, 'tenants.git')
  let imported: Imported
  let whileRunning: Imported
  const served = async (): Promise<void> => {
    await installation.start()
    await waitFor(async () => (await installation.overview()).tenants.ready === CUSTOMERS, 'all are served', 60_000)
  }

  beforeAll(async () => {
    const tenants = Object.fromEntries(customers.flatMap(({ name, folder, keys }) => keys.map((key) => [key, { name, data_dir: folder }])))
    writeFileSync(config, JSON.stringify({ tenants }))
    const sq = await startSq('real', root, ['--config', config])
    try {
      await eachOf(customers, async (each) => {
        if ((await storeAtSq(sq.port, each.keys[0]!, textOf(each))) !== 200) throw new Error(`${each.name} could not store`)
      })
      await installation.cli('init', repository, '--empty')
      whileRunning = await installation.json<Imported>('import', config, '--plan', 'sq-founder', '--dry-run')
    } finally {
      await sq.stop()
    }
    imported = await installation.json<Imported>('import', config, '--plan', 'sq-founder')
    await served()
  }, 240_000)

  it('sees that SQ runs on the data, and no longer once it is stopped', () => {
    expect(whileRunning).toMatchObject({ revision: null, tenants: { length: CUSTOMERS } })
    expect(whileRunning.warnings.join('\n')).toContain(`An SQ still runs on ${CUSTOMERS} of these folders`)
    expect(imported.warnings.join('\n')).not.toContain('still runs')
  })

  it('is one commit that keeps ids and names, and holds no key', () => {
    expect(gitIn(repository, 'rev-list', '--count', 'main')).toBe('2')
    expect(gitIn(repository, 'ls-tree', '-r', '--name-only', 'main', '--', 'tenants').split('\n')).toHaveLength(CUSTOMERS)
    expect(new Set(imported.tenants.map(({ tenant }) => tenant)).size).toBe(CUSTOMERS)
    for (const { name, tenant, username } of imported.tenants) expect(name.startsWith('user') ? tenant : username).toBe(name)
    const written = gitIn(repository, 'log', '-p', 'main')
    expect(customers.flatMap(({ keys }) => keys).filter((key) => written.includes(key))).toEqual([])
  })

  it('every old key reads its old data, and no other’s', async () => {
    const { localUrl } = installation.run
    const wrong: string[] = []
    await eachOf(customers, async (each) => {
      for (const key of each.keys) {
        const { status, text } = await fetchBack(localUrl, key)
        if (status !== 200 || text !== textOf(each)) wrong.push(`${each.name}: ${status} ${text}`)
      }
    })
    expect(wrong).toEqual([])
    expect([await statusOf(localUrl, `${customers[0]!.keys[0]!}x`), await statusOf(localUrl, 'pmb-v1-demo-user-9999-abc123')]).toEqual([401, 401])
  })

  it('the data is where it was, and what is stored from now on lies there too', async () => {
    const [one] = customers
    const before = statSync(path.join(one!.folder, 'notes.phext')).ino
    expect(lstatSync(one!.folder).isDirectory()).toBe(true)
    expect((await store(installation.run.localUrl, one!.keys[0]!, 'and more')).status).toBe(200)
    const file = path.join(one!.folder, 'notes.phext')
    expect([readFileSync(file, 'utf8').includes('and more'), statSync(file).ino]).toEqual([true, before])
    await store(installation.run.localUrl, one!.keys[0]!, textOf(one!))
  })

  it('each has a key besides that can be shown, and the old one can be revoked', async () => {
    const { localUrl } = installation.run
    const { tenant, name } = imported.tenants[9]!
    const { keys } = customers.find((each) => each.name === name)!
    const { key } = await installation.json<{ key: string }>('key', 'show', tenant, 'k1')
    expect((await fetchBack(localUrl, key)).text).toBe(`what ${name} remembers`)
    await installation.json('key', 'revoke', tenant, 'k2')
    await waitFor(async () => (await statusOf(localUrl, keys[0]!)) === 401, 'the old key is refused', 1_000)
    expect([await statusOf(localUrl, key), keys.length, await statusOf(localUrl, keys[1]!)]).toEqual([200, 2, 200])
  })

  it('a second import changes nothing, and a full plan takes nobody more', async () => {
    expect(await installation.json<Imported>('import', config, '--plan', 'sq-founder')).toMatchObject({ revision: null, tenants: [], already: { length: CUSTOMERS } })
    const late = path.join(root, 'late.json')
    mkdirSync(path.join(root, 'late'))
    writeFileSync(late, JSON.stringify({ tenants: { 'a-key-that-comes-late': { name: 'late', data_dir: path.join(root, 'late') } } }))
    const refused = await installation.cli('import', late, '--plan', 'sq-founder')
    expect([refused.code, refused.stdout]).toEqual([2, expect.stringContaining('plan sq-founder: 1 slots are needed, and 0 of 500 are left')])
    expect(readdirSync(path.join(root, 'late'))).toEqual([])
  })

  it('a start of everything finds the data again', async () => {
    await installation.cli('down')
    await installation.kill('SIGTERM')
    await served()
    const wrong: string[] = []
    await eachOf(customers.slice(0, 100), async (each) => {
      const { text } = await fetchBack(installation.run.localUrl, each.keys.at(-1)!)
      if (text !== textOf(each)) wrong.push(`${each.name}: ${text}`)
    })
    expect(wrong).toEqual([])
  })
})

describe.skipIf(!has('sq'))('import of what stood behind `sq route`', () => {
  it('takes over the keys and the data of instances that each had one customer', async () => {
    const root = tempFolder('old-route')
    const instances = await Promise.all(
      ['ada', 'bob'].map(async (name) => {
        const folder = path.join(root, 'data', name)
        mkdirSync(folder, { recursive: true })
        const sq = await startSq('real', root, ['--key', `key-of-${name}-0123456789`, '--data-dir', folder])
        onTestFinished(() => sq.stop())
        return { token: `key-of-${name}-0123456789`, port: sq.port, data_dir: folder, stop: () => sq.stop() }
      }),
    )
    const file = path.join(root, 'route.json')
    writeFileSync(file, JSON.stringify({ tenants: instances.map(({ token, port, data_dir }) => ({ token, port, data_dir })) }))
    const port = await freePort()
    const router = spawn(findProgram('sq')!, ['route', file, String(port)], { cwd: root, stdio: 'ignore' })
    onTestFinished(() => void router.kill('SIGKILL'))
    const oldUrl = `http://127.0.0.1:${port}`
    await waitFor(async () => (await statusOf(oldUrl, instances[0]!.token)) === 200, 'the router answers')
    for (const { token } of instances) expect(await storeAtSq(port, token, `stored by ${token}`)).toBe(200)

    const installation = makeInstallation(path.join(tempFolder(), 'home'))
    await installation.cli('init', path.join(installation.home, 'tenants.git'), '--empty')
    const { warnings } = await installation.json<Imported>('import', file, '--plan', 'sq-standard', '--dry-run')
    expect(warnings.filter((warning) => /still (runs|answers)/.test(warning))).toHaveLength(3)
    for (const { stop } of instances) await stop()
    router.kill('SIGKILL')
    const { tenants } = await installation.json<Imported>('import', file, '--plan', 'sq-standard')
    expect(tenants).toMatchObject([{ name: 'ada', tenant: 'user001', username: 'ada' }, { name: 'bob', tenant: 'user002' }])
    await installation.start()
    for (const { token, data_dir } of instances) {
      await waitFor(async () => (await statusOf(installation.run.localUrl, token)) === 200, 'served')
      expect((await fetchBack(installation.run.localUrl, token)).text).toBe(`stored by ${token}`)
      expect(existsSync(path.join(data_dir, 'notes.phext'))).toBe(true)
    }
  })
})
