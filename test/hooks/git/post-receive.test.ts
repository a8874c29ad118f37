import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { installPostReceive } from '../../../hooks/git/install-post-receive.ts'
import { bareRepository, cloneOf, git } from '../../git/support.ts'
import { findProgram } from '../../support/parts.ts'
import { tempFolder } from '../../support/temp.ts'
import { waitFor } from '../../support/wait.ts'

async function adminServer(answer: 'at once' | 'never'): Promise<{ url: string; requests: string[]; server: Server }> {
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    if (answer === 'at once') response.writeHead(202).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, server }
}

async function repositoryWithHook(runFile: string): Promise<{ folder: string; clone: string }> {
  const { folder } = await bareRepository()
  expect(await installPostReceive({ repository: folder, runFile, node: process.execPath })).toEqual({ kind: 'installed' })
  return { folder, clone: cloneOf(folder) }
}

function push(clone: string, name: string, env: NodeJS.ProcessEnv = process.env): number {
  writeFileSync(path.join(clone, name), name)
  git(clone, 'add', '.')
  git(clone, 'commit', '-q', '-m', name)
  const start = performance.now()
  execFileSync('git', ['-C', clone, 'push', '-q', 'origin', 'main'], { env, stdio: 'pipe' })
  return performance.now() - start
}

/** A PATH with what git and the hook need, and no curl. */
function pathWithoutCurl(): string {
  const folder = path.join(tempFolder('bin'), 'bin')
  mkdirSync(folder)
  for (const name of ['git', 'git-receive-pack', 'sh', 'sed', 'head', 'cat']) symlinkSync(findProgram(name)!, path.join(folder, name))
  return folder
}

describe('the post-receive hook', () => {
  // A folder with quotes and spaces: the path is data inside the script.
  const runFileIn = (folder: string) => path.join(folder, "it's run.json")

  test('pokes the admin address that run.json names', async () => {
    const { url, requests } = await adminServer('at once')
    const runFile = runFileIn(tempFolder('home'))
    writeFileSync(runFile, JSON.stringify({ publicUrl: 'http://x.example', adminUrl: url, pid: 1 }, null, 2))
    const { clone } = await repositoryWithHook(runFile)
    push(clone, 'a')
    await waitFor(() => requests.length > 0, 'the poke')
    expect(requests).toEqual(['POST /poke'])
  })

  test('uses node where there is no curl', async () => {
    const { url, requests } = await adminServer('at once')
    const runFile = runFileIn(tempFolder('home'))
    writeFileSync(runFile, JSON.stringify({ adminUrl: url }))
    const { clone } = await repositoryWithHook(runFile)
    push(clone, 'a', { ...process.env, PATH: pathWithoutCurl() })
    await waitFor(() => requests.length > 0, 'the poke')
  })

  test('never holds up or fails a push: no file, rubbish in it, nobody there, no answer', async () => {
    const { url, server } = await adminServer('never')
    const runFile = runFileIn(tempFolder('home'))
    const { clone } = await repositoryWithHook(runFile)
    const times = [push(clone, 'a')]
    for (const content of ['', 'rubbish', JSON.stringify({ adminUrl: url }), JSON.stringify({ adminUrl: 'http://127.0.0.1:1' })]) {
      writeFileSync(runFile, content)
      times.push(push(clone, `b${times.length}`))
    }
    // Far below the 2 s for which the poke itself may wait.
    expect(Math.max(...times)).toBeLessThan(1500)
    server.closeAllConnections()
  })
})

describe('installing the hook', () => {
  test('a second time changes nothing, another address replaces it, and it is executable', async () => {
    const { folder } = await bareRepository()
    const options = { repository: folder, runFile: '/somewhere/run.json', node: process.execPath }
    expect(await installPostReceive(options)).toEqual({ kind: 'installed' })
    expect(await installPostReceive(options)).toEqual({ kind: 'unchanged' })
    expect(await installPostReceive({ ...options, runFile: '/elsewhere/run.json' })).toEqual({ kind: 'installed' })
    expect(readFileSync(path.join(folder, 'hooks/post-receive'), 'utf8')).toContain("'/elsewhere/run.json'")
    execFileSync(path.join(folder, 'hooks/post-receive'), { input: '' })
  })

  test('leaves a hook of somebody else as it is', async () => {
    const { folder } = await bareRepository()
    const file = path.join(folder, 'hooks/post-receive')
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, '#!/bin/sh\n# ours\n')
    chmodSync(file, 0o755)
    expect(await installPostReceive({ repository: folder, runFile: '/x/run.json', node: process.execPath })).toEqual({ kind: 'foreign', file })
    expect(readFileSync(file, 'utf8')).toBe('#!/bin/sh\n# ours\n')
  })
})
