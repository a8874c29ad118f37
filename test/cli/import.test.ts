import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createAdoptions, type Adoption } from '../../controller/store/adoptions.ts'
import { openStore } from '../../controller/store/db.ts'
import { fileOf, SHARED_FILES } from '../support/tenant-files.ts'
import { terminal, type Terminal } from './support.ts'

interface Imported {
  readonly format: string
  readonly revision: string | null
  readonly tenants: readonly { readonly name: string; readonly tenant: string; readonly username: string | null; readonly keys: number; readonly bytes: number; readonly folder: string; readonly data: string }[]
  readonly already: readonly { readonly name: string; readonly tenant: string }[]
  readonly clashes: readonly { readonly at: string; readonly message: string }[]
  readonly warnings: readonly string[]
}

const KEY = { ada: 'pmb-v1-0123456789abcdef0123456789abcdef01234567', bob: 'bob-has-a-key-of-another-shape' } as const
const OTHER_DISK = '/dev/shm'
const otherDisk = existsSync(OTHER_DISK) && statSync(OTHER_DISK).dev !== statSync(tmpdir()).dev
const digestOf = (key: string): string => createHash('sha256').update(key).digest('hex')
const EMPTY = SHARED_FILES

/** A data folder of an SQ elsewhere. */
function folder({ folder: root }: Terminal, name: string, files: Readonly<Record<string, string>> = { 'notes.phext': 'hello' }): string {
  const at = path.join(root, 'old', name)
  mkdirSync(at, { recursive: true })
  for (const [file, text] of Object.entries(files)) writeFileSync(path.join(at, file), text)
  return at
}

function write({ folder: root }: Terminal, value: unknown, name = 'sq.json'): string {
  const file = path.join(root, name)
  writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value))
  return file
}

function twoCustomers(term: Terminal): string {
  return write(term, { tenants: { [KEY.ada]: { name: 'ada', data_dir: folder(term, 'ada') }, [KEY.bob]: { name: 'user007', data_dir: folder(term, 'bob') } } })
}

function adoptionOf({ home }: Terminal, key: string): Adoption | undefined {
  const db = openStore(path.join(home, 'store.db'), 'rebuildable')
  try {
    return createAdoptions(db).byKeys([digestOf(key)])
  } finally {
    db.close()
  }
}

describe('import', () => {
  it('makes tenants of an SQ configuration in one commit, without a secret in git', async () => {
    const term = await terminal()
    const file = twoCustomers(term)
    const { code, out } = await term.run('import', file, '--plan', 'standard')
    expect([code, out]).toEqual([0, expect.stringMatching(/ada +user008 +standard +1 +0\.0 +.*old\/ada\nuser007 +user007 .*\n2 became tenants \(commit /)])
    expect(term.git('rev-list', '--count', 'main')).toBe('2')
    expect(term.git('log', '-1', '--format=%an%n%B', 'main')).toBe('Ada\nimport: 2 tenants of sq from sq.json\n\n- user008 for ada on standard\n- user007 on standard\n\nBy: Ada')
    const text = term.show('tenants/sq/000/user008.yaml')
    expect(text).toContain(digestOf(KEY.ada))
    expect(text).toContain('username: ada')
    expect(term.git('log', '-p', 'main')).not.toMatch(new RegExp(`${KEY.ada}|${KEY.bob}`))
    expect((await term.run('validate')).code).toBe(0)
    expect((await term.json<{ keys: { id: string }[] }>('key', 'list', 'user008')).keys.map(({ id }) => id)).toEqual(['k1', 'k2'])
    expect((await term.json<{ key: string }>('key', 'show', 'user008', 'k1')).key).toMatch(/^pmb-v1-/)
    expect(adoptionOf(term, KEY.ada)).toEqual({ folder: path.join(term.folder, 'old/ada'), state: 'noted', tenant: undefined })
  })

  it('a second time imports nothing twice, and only who is new', async () => {
    const term = await terminal(EMPTY)
    const file = twoCustomers(term)
    await term.run('import', file, '--plan', 'standard')
    const again = await term.json<Imported>('import', file, '--plan', 'standard')
    expect(again).toMatchObject({ revision: null, tenants: [], clashes: [], already: [{ name: 'ada', tenant: 'user008' }, { name: 'user007', tenant: 'user007' }] })
    const more = write(term, { tenants: { [KEY.ada]: { name: 'ada', data_dir: path.join(term.folder, 'old/ada') }, 'a-third-key-of-another': { name: 'cleo', data_dir: folder(term, 'cleo') } } })
    expect(await term.json<Imported>('import', more, '--plan', 'standard')).toMatchObject({ tenants: [{ name: 'cleo', tenant: 'user009', username: 'cleo' }], already: [{ tenant: 'user008' }] })
    expect(term.git('rev-list', '--count', 'main')).toBe('3')
  })

  it('shows what it would do and changes nothing', async () => {
    const term = await terminal(EMPTY)
    const file = twoCustomers(term)
    const { code, out } = await term.run('import', file, '--plan', 'standard', '--dry-run')
    expect([code, out]).toEqual([0, expect.stringContaining('2 would become tenants; nothing was changed.')])
    expect(term.git('rev-list', '--count', 'main')).toBe('1')
    expect(adoptionOf(term, KEY.ada)).toBeUndefined()
  })

  it('takes the list of `sq route`, and says that something still answers there', async () => {
    const term = await terminal(EMPTY)
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const { port } = server.address() as AddressInfo
    const file = write(term, { tenants: [{ token: KEY.ada, port, data_dir: folder(term, 'ada') }, { token: KEY.bob, port: 1, data_dir: folder(term, 'bob') }] })
    const answer = await term.json<Imported>('import', file, '--plan', 'standard')
    expect(answer).toMatchObject({ format: 'sq-route', tenants: [{ name: 'ada', tenant: 'user001' }, { name: 'bob', tenant: 'user002' }] })
    expect(answer.warnings.join('\n')).toContain(`still answers on port ${port},`)
  })

  it('takes the brief’s tenants.json, with folders from --data-dir and plans by tier', async () => {
    const term = await terminal(EMPTY)
    folder(term, 'user001')
    folder(term, 'user002', { 'large.phext': 'x'.repeat(2 * 1024 * 1024) })
    const common = { email: 'ada@example.com', tier: 'standard', created_at: '2026-02-12T13:15:00Z' }
    const file = write(term, { admin_key: 'pmb-admin-xxx', default_quota_mb: 1000, tenants: [{ ...common, id: 'user001', api_key: KEY.ada, enabled: true }, { ...common, id: 'user002', api_key: KEY.bob, quota_mb: 1, enabled: false }] })
    expect((await term.json<Imported>('import', file)).clashes).toMatchObject([{ message: 'the file does not say where its data lies' }, {}])
    const answer = await term.json<Imported>('import', file, '--data-dir', 'old')
    expect(answer.tenants).toMatchObject([{ name: 'user001', tenant: 'user001' }, { name: 'user002', tenant: 'user002', bytes: 2 * 1024 * 1024 }])
    expect(answer.warnings).toEqual([expect.stringContaining('user002: more is stored than may be')])
    expect(term.show('tenants/sq/000/user001.yaml')).toContain('email: ada@example.com')
    expect(term.show('tenants/sq/000/user002.yaml')).toMatch(/state: suspended\n.*stateReason: .*\n.*limits:\n +storageMb: 1\n/)
  })

  it('never gives a number again that was a tenant’s, in whose history whatsoever', async () => {
    const term = await terminal([...EMPTY, fileOf(1), fileOf(2)])
    term.commit({ 'tenants/sq/000/user001.yaml': null })
    const file = write(term, { tenants: { [KEY.ada]: { name: 'user001', data_dir: folder(term, 'ada') } } })
    expect((await term.json<Imported>('import', file, '--plan', 'standard')).tenants).toMatchObject([{ name: 'user001', tenant: 'user003', username: 'user001' }])
  })

  it('warns of keys that can be guessed and of customers without an address', async () => {
    const term = await terminal(EMPTY)
    const file = write(term, { tenants: { short: { name: 'ada', data_dir: folder(term, 'ada') } } })
    const { out } = await term.run('import', file, '--plan', 'standard')
    expect(out).toMatch(/warning: entry 1 \(ada\): the key has fewer than 20 characters.*\nwarning: 1 of them had no address/)
  })
})

describe('what stands in the way of an import', () => {
  it('is listed all at once, and nothing is changed', async () => {
    const term = await terminal()
    const inside = folder(term, 'ada/sub')
    symlinkSync('/etc/passwd', path.join(folder(term, 'links'), 'a.phext'))
    const file = write(term, {
      tenants: {
        'key-number-1': { name: 'ada', data_dir: path.join(term.folder, 'old/ada') },
        'key-number-2': { name: 'bob', data_dir: inside },
        'key-number-3': { name: 'cleo', data_dir: path.join(term.folder, 'old/gone') },
        'key-number-4': { name: 'dora', data_dir: path.join(term.folder, 'old/links') },
        'key-number-5': { name: 'eve', data_dir: 'relative' },
        'key-number-6': { name: 'ada', data_dir: folder(term, 'ada2') },
        'key-number-7': { name: 'finn' },
      },
    })
    const before = readdirSync(term.folder, { recursive: true }).filter((name) => String(name).startsWith('old'))
    const { code, out } = await term.run('import', file, '--plan', 'standard')
    expect(code).toBe(2)
    for (const [at, message] of [
      ['entry 1 (ada)', '"sub": that is not SQ’s'],
      ['entry 2 (bob)', 'its data folder lies inside that of entry 1 (ada)'],
      ['entry 3 (cleo)', 'there is no data folder'],
      ['entry 4 (dora)', '"a.phext": links are not followed'],
      ['entry 5 (eve)', '`data_dir` is relative'],
      ['entry 6 (ada)', 'entry 1 (ada) has the same name and another data folder'],
      ['entry 7 (finn)', '`data_dir` is missing'],
    ] as const) {
      expect(out.split('\n').some((line) => line.startsWith(`${file}: ${at}: `) && line.includes(message)), `${at}: ${message} in\n${out}`).toBe(true)
    }
    expect(out).toContain('things stand in the way; nothing was changed.')
    expect(out).not.toContain('key-number')
    expect(term.git('rev-list', '--count', 'main')).toBe('1')
    expect(readdirSync(term.folder, { recursive: true }).filter((name) => String(name).startsWith('old'))).toEqual(before)
    expect(adoptionOf(term, 'key-number-1')).toBeUndefined()
  })

  it('is also what the repository would not take', async () => {
    const term = await terminal(EMPTY)
    const file = write(term, { tenants: { [KEY.ada]: { name: 'ada', data_dir: folder(term, 'ada'), quota_mb: 99_000 } } })
    const { code, out } = await term.run('import', file, '--plan', 'standard')
    expect([code, out]).toEqual([2, expect.stringContaining('spec.limits.storageMb: 99000 is over the platform')])
  })

  it.skipIf(!otherDisk)('is data on another disk, where SQ runs in a container', async () => {
    const term = await terminal(EMPTY.map(({ path: at, text }) => ({ path: at, text: text.replace('engine: process', 'engine: docker, image: x') })))
    const far = mkdtempSync(path.join(OTHER_DISK, 'import-'))
    onTestFinished(() => rmSync(far, { recursive: true }))
    const file = write(term, { tenants: { [KEY.ada]: { name: 'ada', data_dir: far }, [KEY.bob]: { name: 'bob', data_dir: folder(term, 'bob') } } })
    const { clashes } = await term.json<Imported>('import', file, '--plan', 'standard')
    expect(clashes).toMatchObject([{ at: 'ada', message: expect.stringContaining('lies on another disk than') as string }])
  })

  it('is a file that is none, told without quoting it', async () => {
    const term = await terminal(EMPTY)
    const broken = await term.run('import', write(term, `{"tenants": {\n"${KEY.ada}": {"name": ada}}}`), '--plan', 'standard')
    expect([broken.code, broken.error]).toEqual([2, expect.stringMatching(/sq\.json:2:\d+ this is no JSON/)])
    expect(broken.error).not.toContain(KEY.ada.slice(0, 12))
    expect((await term.run('import', write(term, { users: [] }))).error).toContain('is neither an SQ configuration')
    expect((await term.run('import', write(term, { tenants: {} }))).error).toContain('names no customers')
    expect((await term.run('import', 'nowhere.json')).error).toContain('nowhere.json cannot be read: ENOENT')
  })

  it('is a plan or product that there is not', async () => {
    const term = await terminal(EMPTY)
    const file = twoCustomers(term)
    expect((await term.run('import', file, '--plan', 'gold')).error).toContain('gold is no plan of sq. Its plans: standard.')
    expect((await term.run('import', file, '--product', 'none')).error).toContain('none is no product with a shared SQ')
    expect((await term.run('import', file)).out).toContain('nothing says which plan it has. Name one with --plan: standard.')
  })

  it('shows no key that is the name of a folder', async () => {
    const term = await terminal(EMPTY)
    const file = write(term, { tenants: [{ token: KEY.ada, port: 1, data_dir: folder(term, KEY.ada) }, { token: KEY.bob, port: 1, data_dir: path.join(term.folder, KEY.bob) }] })
    const refused = await term.run('import', file, '--plan', 'standard')
    expect([refused.code, refused.out.includes(KEY.bob)]).toEqual([2, false])
    folder(term, `../${KEY.bob}`)
    const done = await term.run('--json', 'import', file, '--plan', 'standard')
    expect([done.code, done.out.includes(KEY.ada), done.out.includes(KEY.bob)]).toEqual([0, false, false])
    expect(term.git('log', '-p', 'main')).not.toMatch(new RegExp(`${KEY.ada}|${KEY.bob}`))
    expect(existsSync(path.join(term.folder, KEY.bob))).toBe(true)
  })
})
