/** The page /guide does what it says: each piece of code is taken from the page as it is served, given a key, and run as a reader would. */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { beforeAll, describe, expect, it, afterAll } from 'vitest'
import { parse } from 'yaml'
import { makeInstallation } from '../support/installation.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'

const run = promisify(execFile)
const home = path.join(tempFolder('guide'), 'home')
const installation = makeInstallation(home, {}, afterAll)
const examples = new Map<string, string>()
let endpoint: string
let key: string

beforeAll(async () => {
  endpoint = (await installation.start()).publicUrl
  key = (await installation.json<{ key: string }>('buy', '--plan', 'sq-standard', '--email', 'ada@example.com', '--username', 'guided')).key
  const page = await (await fetch(`${endpoint}/guide`)).text()
  for (const [, id, code] of page.matchAll(/<code [^>]*data-example="([^"]+)">([^<]*)<\/code>/g)) examples.set(id!, unescape(code!).replaceAll('pmb-v1-YOUR-KEY', key))
}, 90_000)

/** As a browser shows and copies it. */
function unescape(html: string): string {
  return html.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
}

function save(name: string, id: string): string {
  const file = path.join(tempFolder('guide'), name)
  writeFileSync(file, examples.get(id)!)
  return file
}

describe('the guide', () => {
  it('has code for every way, with this installation\'s address in each', () => {
    expect([...examples.keys()]).toEqual(['curl', 'python', 'typescript', 'openclaw', 'mcp', 'helper'])
    for (const code of examples.values()) expect(code).toContain(endpoint)
  })

  it('curl: remembers, recalls, lists and forgets', async () => {
    const { stdout } = await run('bash', ['-eu', save('guide.sh', 'curl')])
    expect(stdout).toMatch(/^Updated 37 bytes\nWe use PostgreSQL: the team knows it\.\n[^]*\* project\/decisions\/database: We use PostgreSQL: the team knows it\.\nRemoved 37 bytes\n$/)
  })

  it('Python: with the standard library alone', async () => {
    const { stdout } = await run('python3', ['-I', save('memory.py', 'python')])
    expect(stdout).toBe('Ada likes short answers.\nNone\n')
  })

  it('TypeScript: without a package', async () => {
    const { stdout } = await run(process.execPath, [save('memory.ts', 'typescript')])
    expect(stdout).toBe('The importer is done; next come the tests.\nundefined\n')
  })

  it('OpenClaw: the settings let the skill\'s own requests through', async () => {
    const { skills } = parse(examples.get('openclaw')!) as { skills: { 'sq-memory': { enabled: boolean; endpoint: string; api_key: string; namespace: string } } }
    const { enabled, endpoint: at, api_key: bearer, namespace } = skills['sq-memory']
    expect(enabled).toBe(true)
    // What the published skill sends: no p, text/plain, and its own form of a name.
    const ask = (method: string, command: string, name: string, body?: string): Promise<Response> =>
      fetch(`${at}/api/v2/${command}?c=${encodeURIComponent(`${namespace}.1.1/${name.replaceAll('/', '.')}/1.1.1`)}`, { method, headers: { Authorization: `Bearer ${bearer}`, 'Content-Type': 'text/plain' }, ...(body !== undefined && { body }) })
    expect((await ask('GET', 'select', 'user/preferences/theme')).status).toBe(404)
    expect((await ask('POST', 'insert', 'user/preferences/theme', 'dark')).status).toBe(200)
    expect((await ask('POST', 'insert', 'user/name', 'Alice')).status).toBe(200)
    expect(await (await ask('GET', 'select', 'user/preferences/theme')).text()).toBe('dark')
    expect(await (await ask('GET', 'toc', 'user')).text()).toContain('my-assistant.1.1/user.name/1.1.1: Alice')
    expect((await ask('DELETE', 'delete', 'user/preferences/theme')).status).toBe(200)
    expect((await ask('GET', 'select', 'user/preferences/theme')).status).toBe(404)
  })

  it('MCP: a client with these settings has the tools, and the same memory as the others', async () => {
    const { mcpServers } = JSON.parse(examples.get('mcp')!) as { mcpServers: { memory: { type: string; url: string; headers: Record<string, string> } } }
    const { type, url, headers } = mcpServers.memory
    expect(type).toBe('http')
    const client = new Client({ name: 'reader', version: '1' })
    await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }))
    expect((await client.listTools()).tools.map(({ name }) => name).sort()).toEqual(['forget', 'list', 'recall', 'remember', 'search'])
    expect((await client.callTool({ name: 'remember', arguments: { name: 'project/decisions/cache', text: 'No cache before there are figures.' } })).isError).not.toBe(true)
    expect(await (await fetch(`${endpoint}/api/v2/select?c=project/decisions/cache`, { headers: { Authorization: `Bearer ${key}` } })).text()).toBe('No cache before there are figures.')
    const found = await client.callTool({ name: 'search', arguments: { query: 'FIGURES' } })
    expect(found.structuredContent).toMatchObject({ matches: [{ name: 'project/decisions/cache' }] })
    await client.close()
  })

  it('a helper\'s key: reads, and does not write', async () => {
    const { stdout } = await run('bash', ['-eu', save('helper.sh', 'helper')])
    const made = JSON.parse(stdout) as { key: string }
    const ask = (method: string, command: string): Promise<Response> => fetch(`${endpoint}/api/v2/${command}?c=for/helpers`, { method, headers: { Authorization: `Bearer ${made.key}` }, ...(method === 'POST' && { body: 'x' }) })
    await fetch(`${endpoint}/api/v2/update?c=for/helpers`, { method: 'POST', body: 'read this', headers: { Authorization: `Bearer ${key}` } })
    expect(await waitFor(async () => { const answer = await ask('GET', 'select'); return answer.status === 200 && answer.text() }, 'the key is served')).toBe('read this')
    expect((await ask('POST', 'update')).status).toBe(403)
  })
})
