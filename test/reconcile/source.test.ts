/** The catalog at the tip of a real bare repository, with a counted reader that can be made to fail. */
import { rmSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { onTestFinished, beforeEach, describe, expect, test } from 'vitest'
import { createCatalog, type Catalog } from '../../controller/core/catalog.ts'
import type { CommitId } from '../../controller/core/specs.ts'
import { createBareRepository } from '../../controller/git/bare-repository.ts'
import type { GitRepository } from '../../controller/git/port.ts'
import { createRepository } from '../../controller/git/repository.ts'
import { createSource, type Source } from '../../controller/reconcile/source.ts'
import { createSpecParser } from '../../controller/specs/parse.ts'
import { openStore } from '../../controller/store/db.ts'
import { createMeta } from '../../controller/store/meta.ts'
import { createSpecCache } from '../../controller/store/spec-cache.ts'
import { createTenantRecords, newRecord, type TenantRecords } from '../../controller/store/tenant-records.ts'
import { cloneRepository, gitIn, type Clone } from '../support/repository.ts'
import { userId } from '../support/specs.ts'
import { tempFolder } from '../support/temp.ts'
import { fileOf, SHARED_FILES, tenantText } from '../support/tenant-files.ts'

let folder: string
let home: string
let clone: Clone
beforeEach(async () => {
  folder = path.join(tempFolder('git'), 'tenants.git')
  home = tempFolder('home')
  await createBareRepository({ folder, branch: 'main', files: [...SHARED_FILES, fileOf(1), fileOf(2), { path: 'README.md', text: 'no spec' }], message: 'first', environment: process.env, now: () => new Date() })
  clone = cloneRepository(folder)
})

interface Process {
  readonly source: Source
  readonly catalog: Catalog
  readonly records: TenantRecords
  /** Blobs read from git so far. */
  readonly read: () => number
  /** Calls of git that fail, by name. */
  readonly broken: Set<'refresh' | 'list' | 'changes' | 'read' | 'history'>
}

/** One process on this HOME; a second call is a restart. */
async function start(): Promise<Process> {
  const db = openStore(path.join(home, 'store.db'), 'rebuildable')
  const repository = await createRepository({ location: folder, branch: 'main', mirrorFolder: path.join(home, 'mirror.git'), environment: process.env, now: () => new Date() })
  onTestFinished(async () => {
    await repository.close()
    db.close()
  })
  const broken: Process['broken'] = new Set()
  let read = 0
  const fail = (name: typeof broken extends Set<infer T> ? T : never): void => {
    if (broken.has(name)) throw new Error(`${name} fails`)
  }
  const faulty: GitRepository = {
    ...repository,
    refresh: () => (fail('refresh'), repository.refresh()),
    changes: (from, to) => (fail('changes'), repository.changes(from, to)),
    async *list(commit: CommitId) {
      for await (const entry of repository.list(commit)) {
        yield entry
        fail('list')
      }
    },
    async *read(blobs, maxBytes) {
      for await (const blob of repository.read(blobs, maxBytes)) {
        read++
        yield blob
        fail('read')
      }
    },
  }
  const catalog = createCatalog()
  const records = createTenantRecords(db)
  const givenNumbers = { note: () => (broken.has('history') ? Promise.reject(new Error('history fails')) : Promise.resolve()) }
  const source = createSource({ repository: faulty, parser: createSpecParser(), cache: createSpecCache(db), records, meta: createMeta(db), catalog, givenNumbers })
  return { source, catalog, records, read: () => read, broken }
}

const tip = (): string => gitIn(folder, 'rev-parse', 'main')
const tenantsOf = (catalog: Catalog): string[] => [...catalog.tenants()].map(({ metadata }) => metadata.name).sort()

describe('reading', () => {
  test('takes the whole tree in at first, and after a restart reads no blob again', async () => {
    const first = await start()
    expect(await first.source.sync()).toBe(tip())
    expect(first.read()).toBe(5)
    expect(tenantsOf(first.catalog)).toEqual(['user001', 'user002'])
    expect([...first.source.drain()].sort()).toEqual(['user001', 'user002'])
    expect([...first.source.drain()]).toEqual([])
    const second = await start()
    await second.source.sync()
    expect(second.read()).toBe(0)
    expect(tenantsOf(second.catalog)).toEqual(['user001', 'user002'])
  })

  test('reads only what a commit changed', async () => {
    const { source, read } = await start()
    await source.sync()
    source.drain()
    const before = read()
    clone.write(fileOf(3).path, fileOf(3).text)
    clone.edit(fileOf(1).path, (text) => text.replace('state: active', 'state: suspended'))
    clone.write('README.md', 'still no spec')
    expect(await source.sync()).not.toBe(clone.push('change'))
    expect(await source.sync()).toBe(tip())
    expect(read() - before).toBe(2)
    expect([...source.drain()].sort()).toEqual(['user001', 'user003'])
  })

  test('a renamed file is the same tenant and is not read again', async () => {
    const { source, catalog, read } = await start()
    await source.sync()
    const before = read()
    clone.git('mv', fileOf(1).path, 'tenants/elsewhere.yaml')
    clone.push('rename')
    await source.sync()
    expect(read()).toBe(before)
    expect(catalog.pathOf(userId(1))).toBe('tenants/elsewhere.yaml')
    expect(catalog.findings()).toEqual([])
  })

  test('a symbolic link, a submodule and a huge file are refused, and hold what they are about', async () => {
    const { source, catalog } = await start()
    await source.sync()
    rmSync(path.join(clone.folder, fileOf(1).path))
    symlinkSync('/etc/passwd', path.join(clone.folder, fileOf(1).path))
    writeFileSync(path.join(clone.folder, fileOf(2).path), `${fileOf(2).text}${'#'.repeat(2_000_000)}\n`)
    clone.git('add', '--all')
    clone.git('update-index', '--add', '--cacheinfo', `160000,${tip()},tenants/module.yaml`)
    clone.git('commit', '--quiet', '--message', 'attack')
    clone.git('push', '--quiet')
    await source.sync()
    expect(tenantsOf(catalog)).toEqual(['user001', 'user002'])
    expect(catalog.findings().map(({ file }) => file).sort()).toEqual(['tenants/module.yaml', fileOf(1).path, fileOf(2).path])
  })

  test('one sync at a time: many that ask at once read the tip once', async () => {
    const { source, read } = await start()
    const tips = await Promise.all([source.sync(), source.sync(), source.sync()])
    expect(new Set(tips)).toEqual(new Set([tip()]))
    expect(read()).toBe(5)
  })
})

describe('an error never reads as nothing', () => {
  test('a branch that is gone, an empty tree and a revision that removes everything change nothing', async () => {
    const { source, catalog } = await start()
    const first = await source.sync()
    const expectKept = async (reason: string): Promise<void> => {
      await expect(source.sync()).rejects.toMatchObject({ reason })
      expect(tenantsOf(catalog)).toEqual(['user001', 'user002'])
      expect(source.revision).toBe(first)
    }
    gitIn(folder, 'update-ref', '-d', 'refs/heads/main')
    await expectKept('BranchMissing')
    const empty = gitIn(folder, 'commit-tree', '-m', 'empty', gitIn(folder, 'hash-object', '-t', 'tree', '-w', '/dev/null'))
    gitIn(folder, 'update-ref', 'refs/heads/main', empty)
    await expectKept('RepositoryEmpty')
    const fresh = await start()
    await expect(fresh.source.sync()).rejects.toMatchObject({ reason: 'RepositoryEmpty' })
    gitIn(folder, 'update-ref', 'refs/heads/main', first)
    expect(await source.sync()).toBe(first)
  })

  test.each(['refresh', 'changes', 'read'] as const)('%s fails: catalog and revision stay, and the next sync makes up for it', async (what) => {
    const { source, catalog, broken } = await start()
    const first = await source.sync()
    source.drain()
    clone.remove(fileOf(2).path)
    for (const n of [3, 4]) clone.write(fileOf(n).path, fileOf(n).text)
    clone.push('change')
    broken.add(what)
    await expect(source.sync()).rejects.toThrow(`${what} fails`)
    expect(tenantsOf(catalog)).toEqual(['user001', 'user002'])
    expect(source.revision).toBe(first)
    expect([...source.drain()]).toEqual([])
    broken.clear()
    expect(await source.sync()).toBe(tip())
    expect(tenantsOf(catalog)).toContain('user004')
    expect([...source.drain()].sort()).toEqual(['user002', 'user003', 'user004'])
  })

  test.each(['list', 'read'] as const)('%s fails half-way through the first look: nothing is taken in', async (what) => {
    const { source, catalog, broken } = await start()
    broken.add(what)
    await expect(source.sync()).rejects.toThrow(`${what} fails`)
    expect(catalog.fileCount).toBe(0)
    expect(source.revision).toBeUndefined()
    broken.clear()
    await source.sync()
    expect(tenantsOf(catalog)).toEqual(['user001', 'user002'])
  })

  test('numbers that cannot be written down fail the sync, and nothing is missed afterwards', async () => {
    const { source, catalog, broken } = await start()
    broken.add('history')
    await expect(source.sync()).rejects.toThrow('history fails')
    clone.remove(fileOf(2).path)
    clone.push('remove')
    await expect(source.sync()).rejects.toThrow('history fails')
    await expect(source.sync()).rejects.toThrow('history fails')
    broken.clear()
    await source.sync()
    expect(catalog.entry(userId(2))).toBeUndefined()
    expect([...source.drain()].sort()).toEqual(['user001', 'user002'])
  })
})

describe('after a restart', () => {
  const inForce = async (): Promise<void> => {
    const { source, catalog, records } = await start()
    await source.sync()
    for (const id of [userId(1), userId(2)]) {
      const { path: at, blob } = catalog.entry(id)!.good!
      records.put({ ...newRecord(id, 'sq', at), appliedBlob: blob })
    }
  }

  test('a file that went bad meanwhile is held at its last good spec', async () => {
    await inForce()
    clone.write(fileOf(1).path, tenantText(1).replace('state: active', 'state: asleep'))
    clone.push('typo')
    const { source, catalog } = await start()
    await source.sync()
    expect(catalog.tenant(userId(1))?.spec.state).toBe('active')
    expect(catalog.entry(userId(1))?.findings).toHaveLength(1)
  })

  test('so are platform, product and plan', async () => {
    await inForce()
    for (const { path: at } of SHARED_FILES) clone.write(at, 'kind: [')
    clone.push('three typos')
    const { source, catalog } = await start()
    await source.sync()
    expect(catalog.platform?.spec.domain).toBe('example.com')
    expect(catalog.productInForce('sq')?.spec.title).toBe('SQ')
    expect(catalog.planInForce('standard')?.spec.tier).toBe('standard')
    expect(catalog.tenant(userId(1))?.spec.state).toBe('active')
  })

  test('a tenant whose file went meanwhile is told of', async () => {
    await inForce()
    clone.remove(fileOf(2).path)
    clone.push('remove')
    const { source, catalog } = await start()
    await source.sync()
    expect(catalog.entry(userId(2))).toBeUndefined()
    expect([...source.drain()]).toContain('user002')
  })
})
