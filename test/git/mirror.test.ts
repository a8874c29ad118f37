import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { GitRepository } from '../../controller/git/port.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { ADA, bareRepository, collect, commitFiles, contents, git, open, SOME_FILES } from './support.ts'
import { serveOverHttp } from './http-git.ts'

const ALL = Object.fromEntries(SOME_FILES.map((file) => [file.path, file.text]))
const newMirror = () => path.join(tempFolder('mirror'), 'mirror.git')

async function tipContents(repository: GitRepository) {
  return contents(repository, (await repository.tip())!)
}

describe('a repository behind a URL', () => {
  test('is fetched, read and pushed to; the mirror holds no branch of its own', async () => {
    const { folder, first } = await bareRepository()
    const mirrorFolder = newMirror()
    const repository = await open(`file://${folder}`, { mirrorFolder })
    await expect(repository.tip()).rejects.toThrow('never fetched')
    await repository.refresh()
    expect(await repository.tip()).toBe(first)
    expect(await tipContents(repository)).toEqual(ALL)
    const id = await commitFiles(repository, first, [{ path: 'a', text: 'a' }])
    expect(git(folder, 'rev-parse', 'main')).toBe(id)
    expect(await repository.tip()).toBe(id)
    expect(git(mirrorFolder, 'for-each-ref', '--format=%(refname)')).toBe('refs/remotes/origin/main')
    expect(await repository.log('a', 5)).toHaveLength(1)
    expect(await collect(repository.pathsEverAdded('tenants'))).toEqual(['tenants/sq/000/user001.yaml'])
    const stop = await repository.watch(() => undefined)
    await stop()
  })

  test('refuses a commit whose parent is no longer the tip, and knows the new tip then', async () => {
    const { folder, first } = await bareRepository()
    const repository = await open(`file://${folder}`)
    await repository.refresh()
    const other = await open(folder)
    const second = await commitFiles(other, first, [{ path: 'b', text: 'b' }])
    expect(await repository.commit(first, { message: 'late', author: ADA, files: [{ path: 'a', text: 'a' }] })).toEqual({ kind: 'refused' })
    expect(await repository.tip()).toBe(second)
    git(folder, 'update-ref', 'refs/heads/main', first)
    expect(await repository.commit(second, { message: 'not over a rewound branch', author: ADA, files: [{ path: 'a', text: 'a' }] })).toEqual({ kind: 'refused' })
    expect(git(folder, 'rev-parse', 'main')).toBe(first)
  })

  test('follows a force-push, a deleted branch and its return', async () => {
    const { folder, first } = await bareRepository()
    const { folder: other } = await bareRepository([{ path: 'other', text: 'o' }])
    const repository = await open(`file://${folder}`)
    await repository.refresh()
    git(other, 'push', '-q', '--force', folder, 'main')
    await repository.refresh()
    expect(await tipContents(repository)).toEqual({ other: 'o' })
    expect(await repository.changes(first, (await repository.tip())!)).toHaveLength(3)
    git(folder, 'update-ref', '-d', 'refs/heads/main')
    await repository.refresh()
    expect(await repository.tip()).toBeUndefined()
    git(folder, 'update-ref', 'refs/heads/main', first)
    await repository.refresh()
    expect(await repository.tip()).toBe(first)
  })

  test('that can\'t be reached is an error of refresh; what was known stays known, also over a restart', async () => {
    const { folder, first } = await bareRepository()
    const mirrorFolder = newMirror()
    const repository = await open(`file://${folder}`, { mirrorFolder })
    await repository.refresh()
    renameSync(folder, `${folder}.away`)
    await expect(repository.refresh()).rejects.toThrow(/fetch/)
    expect(await repository.tip()).toBe(first)
    await expect(repository.commit(first, { message: 'm', author: ADA, files: [{ path: 'a', text: '' }] })).rejects.toThrow()
    const restarted = await open(`file://${folder}`, { mirrorFolder })
    expect(await tipContents(restarted)).toEqual(ALL)
    renameSync(`${folder}.away`, folder)
    await restarted.refresh()
  })

  test('a push that its hook declines is an error with the hook\'s words, not a refusal to try again', async () => {
    const { folder, first } = await bareRepository()
    mkdirSync(path.join(folder, 'hooks'), { recursive: true })
    writeFileSync(path.join(folder, 'hooks/pre-receive'), '#!/bin/sh\necho "Not on a Sunday." >&2\nexit 1\n', { mode: 0o755 })
    const repository = await open(`file://${folder}`)
    await repository.refresh()
    await expect(commitFiles(repository, first, [{ path: 'a', text: '' }])).rejects.toThrow('Not on a Sunday.')
  })
})

test('a server that never answers is an error after the time limit, and what hangs is gone', async () => {
  const server = createServer(() => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const connections: Socket[] = []
  server.on('connection', (socket) => connections.push(socket))
  const repository = await open(`http://127.0.0.1:${(server.address() as AddressInfo).port}/t.git`, { networkTimeoutMs: 300 })
  const start = performance.now()
  await expect(repository.refresh()).rejects.toThrow(/timeout|too slow/)
  expect(performance.now() - start).toBeLessThan(5000)
  await waitFor(() => connections.length > 0 && connections.every((socket) => socket.destroyed), 'every connection to be closed')
})

describe('over HTTP with a password', () => {
  const credentials = { username: 'ada', password: 's3cr3t@/x' }
  const withPassword = (port: number, password = credentials.password) => `http://ada:${encodeURIComponent(password)}@127.0.0.1:${port}/tenants.git`

  async function served() {
    const { folder, first } = await bareRepository()
    git(folder, 'config', 'http.receivepack', 'true')
    const http = await serveOverHttp(folder, credentials)
    const mirrorFolder = newMirror()
    return { folder, first, http, mirrorFolder, repository: await open(withPassword(http.port), { mirrorFolder }) }
  }

  test('fetches and pushes, and the password is in no file of the mirror', async () => {
    const { folder, first, repository, mirrorFolder } = await served()
    await repository.refresh()
    const id = await commitFiles(repository, first, [{ path: 'a', text: 'a' }])
    expect(git(folder, 'rev-parse', 'main')).toBe(id)
    for (const name of readdirSync(mirrorFolder, { recursive: true, encoding: 'utf8' })) {
      const file = path.join(mirrorFolder, name)
      if (!name.startsWith('objects')) expect(existsSync(file) && readdirOrText(file)).not.toContain('s3cr3t')
    }
  })

  test('a wrong password and a server that is down are errors without the password', async () => {
    const { http, repository } = await served()
    const wrong = await open(withPassword(http.port, 'wr0ng'))
    const message = await wrong.refresh().then(() => '', (error: unknown) => inspect(error))
    expect(message).toMatch(/Authentication failed|could not read Password/)
    expect(message).not.toContain('wr0ng')
    http.down = true
    const down = await repository.refresh().then(() => '', (error: unknown) => inspect(error))
    expect(down).toContain('503')
    expect(down).not.toContain('s3cr3t')
  })

  test('a push whose answer is lost counts as what it was: committed, once', async () => {
    const { folder, first, http, repository } = await served()
    await repository.refresh()
    http.cutNextPush = true
    const id = await commitFiles(repository, first, [{ path: 'a', text: 'a' }])
    expect(git(folder, 'rev-parse', 'main')).toBe(id)
    expect(git(folder, 'rev-list', '--count', 'main')).toBe('2')
    expect(await repository.tip()).toBe(id)
  })

  test('somebody who is first in the instant between look and push wins', async () => {
    const { folder, first, http, repository } = await served()
    await repository.refresh()
    const other = git(folder, 'commit-tree', '-p', first, '-m', 'first', `${first}^{tree}`)
    http.beforePush = () => git(folder, 'update-ref', 'refs/heads/main', other)
    expect(await repository.commit(first, { message: 'second', author: ADA, files: [{ path: 'a', text: 'a' }] })).toEqual({ kind: 'refused' })
    expect(git(folder, 'rev-parse', 'main')).toBe(other)
    expect(await repository.tip()).toBe(other)
  })
})

describe('a mirror that a crash left', () => {
  async function mirrored() {
    const { folder, first } = await bareRepository(Array.from({ length: 200 }, (_, index) => ({ path: `f${index}`, text: `${index}` })))
    const mirrorFolder = newMirror()
    const before = await open(`file://${folder}`, { mirrorFolder })
    await before.refresh()
    await before.close()
    return { folder, first, mirrorFolder }
  }

  function packOf(mirrorFolder: string): string {
    const folder = path.join(mirrorFolder, 'objects/pack')
    return path.join(folder, readdirSync(folder).find((name) => name.endsWith('.pack'))!)
  }

  const DAMAGE: [string, (mirror: string) => void][] = [
    ['without its pack', (mirror) => rmSync(packOf(mirror))],
    ['with a pack cut short', (mirror) => truncateSync(packOf(mirror), 300)],
    ['with an empty ref', (mirror) => writeFileSync(path.join(mirror, 'refs/remotes/origin/main'), '')],
    ['with a broken config', (mirror) => writeFileSync(path.join(mirror, 'config'), '[core\n')],
    ['without HEAD', (mirror) => rmSync(path.join(mirror, 'HEAD'))],
    ['without objects', (mirror) => rmSync(path.join(mirror, 'objects'), { recursive: true })],
    ['half cleared', (mirror) => readdirSync(mirror).filter((name) => name !== 'tenantry-mirror').forEach((name) => rmSync(path.join(mirror, name), { recursive: true }))],
    ['with a torn marker', (mirror) => writeFileSync(path.join(mirror, 'tenantry-mirror'), 'ab')],
    ['with an empty folder only', (mirror) => {
      rmSync(mirror, { recursive: true })
      mkdirSync(mirror)
    }],
    ['with fresh locks everywhere', (mirror) => {
      for (const name of ['config.lock', 'packed-refs.lock', 'HEAD.lock', 'shallow.lock']) writeFileSync(path.join(mirror, name), '')
    }],
  ]

  test.each(DAMAGE)('%s works again after a restart', async (_name, damage) => {
    const { folder, first, mirrorFolder } = await mirrored()
    damage(mirrorFolder)
    const repository = await open(`file://${folder}`, { mirrorFolder })
    await repository.refresh()
    expect(await repository.tip()).toBe(first)
    expect(Object.keys(await tipContents(repository))).toHaveLength(200)
  })

  test('damaged while it is in use: the read fails, the next refresh makes it anew', async () => {
    const { folder, mirrorFolder } = await mirrored()
    const repository = await open(`file://${folder}`, { mirrorFolder })
    rmSync(packOf(mirrorFolder))
    await expect(tipContents(repository)).rejects.toThrow()
    await repository.refresh()
    expect(Object.keys(await tipContents(repository))).toHaveLength(200)
  })

  test.each(DAMAGE.filter(([name]) => /cut short|empty ref|config|half/.test(name)))('%s while it is in use and not read: the next refresh notices by itself', async (_name, damage) => {
    const { folder, first, mirrorFolder } = await mirrored()
    const repository = await open(`file://${folder}`, { mirrorFolder })
    damage(mirrorFolder)
    await repository.refresh()
    expect(await repository.tip()).toBe(first)
    expect(Object.keys(await tipContents(repository))).toHaveLength(200)
  })

  test('with one object gone, which no fetch notices: found at the start, and after a read that failed', async () => {
    const { folder, first } = await bareRepository()
    const blob = git(folder, 'rev-parse', `${first}:platform.yaml`)
    const mirrorFolder = newMirror()
    const repository = await open(`file://${folder}`, { mirrorFolder })
    await repository.refresh()
    const lose = () => rmSync(path.join(mirrorFolder, 'objects', blob.slice(0, 2), blob.slice(2)))
    lose()
    await repository.refresh()
    await expect(tipContents(repository)).rejects.toThrow('is missing')
    await repository.refresh()
    expect(await tipContents(repository)).toEqual(ALL)
    lose()
    const restarted = await open(`file://${folder}`, { mirrorFolder })
    await restarted.refresh()
    expect(await tipContents(restarted)).toEqual(ALL)
  })

  test('of another URL is cleared, and nothing of it shows through', async () => {
    const { mirrorFolder } = await mirrored()
    const repository = await open('file:///nonexistent/other.git', { mirrorFolder })
    await expect(repository.refresh()).rejects.toThrow()
    await expect(repository.tip()).rejects.toThrow('never fetched')
  })

  test('a folder that is no mirror of ours is left alone', async () => {
    const { folder } = await bareRepository()
    const taken = tempFolder('taken')
    writeFileSync(path.join(taken, 'thesis.txt'), 'x')
    await expect(open(`file://${folder}`, { mirrorFolder: taken })).rejects.toThrow('not a mirror that Tenantry made')
    expect(readFileSync(path.join(taken, 'thesis.txt'), 'utf8')).toBe('x')
  })

  test('kill -9 at any moment of the first fetch', { timeout: 60_000 }, async () => {
    const { folder, first } = await bareRepository(Array.from({ length: 3000 }, (_, index) => ({ path: `f/${index % 30}/${index}`, text: `${index}` })))
    const mirrorFolder = newMirror()
    for (let round = 0; round < 8; round += 1) {
      const child = spawn(process.execPath, [path.join(import.meta.dirname, 'mirror-once.ts'), `file://${folder}`, mirrorFolder], { stdio: ['ignore', 'pipe', 'ignore'] })
      onTestFinished(() => void child.kill('SIGKILL'))
      const gone = new Promise((resolve) => child.on('exit', resolve))
      await new Promise((resolve) => child.stdout.once('data', resolve))
      setTimeout(() => child.kill('SIGKILL'), round * 12)
      await gone
    }
    const repository = await open(`file://${folder}`, { mirrorFolder })
    await repository.refresh()
    expect(await repository.tip()).toBe(first)
    expect(Object.keys(await tipContents(repository))).toHaveLength(3000)
  })
})

function readdirOrText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function inspect(error: unknown): string {
  return error instanceof Error ? `${error.message}\n${error.stack}\n${JSON.stringify(error)}\n${inspect(error.cause)}` : String(error)
}

