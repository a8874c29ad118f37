/** `/mcp` as agents use it: the SDK's own client, through the gateway, to the real SQ. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { has } from '../../support/parts.ts'
import { waitFor } from '../../support/wait.ts'
import { startSqTenants, type SqTenants } from '../sq-tenants.ts'

interface Answer {
  readonly text: string
  readonly isError: boolean
  readonly data: Record<string, unknown> | undefined
}

async function connect(url: string, key: string, options: ConstructorParameters<typeof Client>[1] = {}): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' }, options)
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers: { Authorization: `Bearer ${key}` } } }))
  onTestFinished(() => client.close())
  return client
}

async function use(client: Client, name: string, args: Record<string, unknown>): Promise<Answer> {
  const result = await client.callTool({ name, arguments: args })
  const content = result.content as { type: string; text: string }[]
  return { text: content.map(({ text }) => text).join('\n'), isError: result.isError === true, data: result.structuredContent as Record<string, unknown> | undefined }
}

const post = (tenants: SqTenants, body: string, headers: Record<string, string> = {}): Promise<Response> =>
  tenants.ask('a', '/mcp', { method: 'POST', body, headers: { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream', ...headers } })

const message = (method: string, params: object = {}, id: number | null = 1): string => JSON.stringify({ jsonrpc: '2.0', ...(id !== null && { id }), method, params })
const HELLO = { capabilities: {}, clientInfo: { name: 'raw', version: '1' } }

describe.skipIf(!has('sq'))('MCP', () => {
  it('tells a model what there is: five tools, described, with schemas and hints', async () => {
    const tenants = await startSqTenants()
    const client = await connect(tenants.url, tenants.keys.a)
    expect(client.getInstructions()).toContain('Long-term memory')
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name).sort()).toEqual(['forget', 'list', 'recall', 'remember', 'search'])
    for (const { description, inputSchema, outputSchema, annotations } of tools) {
      expect(description!.length).toBeGreaterThan(30)
      expect(inputSchema).toMatchObject({ type: 'object', additionalProperties: false })
      expect(outputSchema).toMatchObject({ type: 'object' })
      expect(annotations).toMatchObject({ openWorldHint: false })
    }
    const hints = Object.fromEntries(tools.map(({ name, annotations }) => [name, [annotations!.readOnlyHint, annotations!.destructiveHint, annotations!.idempotentHint]]))
    expect(hints).toEqual({ recall: [true, false, true], search: [true, false, true], list: [true, false, true], remember: [false, true, false], forget: [false, true, true] })
  })

  it('works on SQ\'s own coordinates, which are the same memory as over HTTP', async () => {
    const tenants = await startSqTenants()
    const client = await connect(tenants.url, tenants.keys.a)
    const at = '1.1.1/1.1.1/1.1.2'
    expect(await use(client, 'remember', { name: at, text: 'hello' })).toMatchObject({ isError: false, data: { bytes: 5 } })
    expect(await (await tenants.ask('a', `/api/v2/select?c=${at}`)).text()).toBe('hello')
    expect(await use(client, 'remember', { name: at, text: ' world', mode: 'append' })).toMatchObject({ isError: false })
    expect(await use(client, 'recall', { name: at })).toMatchObject({ text: 'hello world', data: { found: true, text: 'hello world' } })
    expect(await use(client, 'recall', { name: at, phext: 'other' })).toMatchObject({ isError: false, data: { found: false } })
    expect(await use(client, 'list', {})).toMatchObject({ data: { memories: [{ name: at, preview: 'hello world' }] } })
    expect(await use(client, 'search', { query: 'WORLD hel' })).toMatchObject({ data: { matches: [{ name: at, preview: 'hello world' }] } })
    expect(await use(client, 'forget', { name: at })).toMatchObject({ data: { found: true } })
    expect(await use(client, 'forget', { name: at })).toMatchObject({ data: { found: false } })
    expect(await use(client, 'list', {})).toMatchObject({ isError: false, data: { memories: [] } })
  })

  it('works on names, which are the same memory as over HTTP', async () => {
    const tenants = await startSqTenants()
    const client = await connect(tenants.url, tenants.keys.a)
    expect(await use(client, 'list', {})).toMatchObject({ isError: false, data: { memories: [] } })
    expect(await use(client, 'search', { query: 'x', phext: 'other' })).toMatchObject({ isError: false, data: { matches: [] } })
    // Looking makes nothing.
    expect([...tenants.onDisk('a').keys()]).toEqual([])
    expect(await use(client, 'recall', { name: 'project/decisions/database' })).toMatchObject({ isError: false, data: { found: false } })
    const texts = { 'project/decisions/database': 'We use PostgreSQL.\nThe team knows it.', 'project/status': 'Done.', 'people/ada': 'Ada likes short answers.', 'Ünï/çode 😀': 'odd' }
    for (const [name, text] of Object.entries(texts)) expect(await use(client, 'remember', { name, text })).toMatchObject({ isError: false })
    expect(await (await tenants.ask('a', '/api/v2/select?c=project/status')).text()).toBe('Done.')
    await tenants.ask('a', '/api/v2/insert?c=project/status', { method: 'POST', body: ' Really.' })
    expect((await use(client, 'recall', { name: 'project/status' })).text).toBe('Done. Really.')
    const names = async (tool: string, args: object, key: string) => ((await use(client, tool, { ...args })).data![key] as { name: string }[]).map(({ name }) => name)
    expect(await names('list', {}, 'memories')).toEqual(['people/ada', 'project/decisions/database', 'project/status', 'Ünï/çode 😀'])
    expect(await names('list', { prefix: 'project/' }, 'memories')).toEqual(['project/decisions/database', 'project/status'])
    expect(await names('search', { query: 'postgresql TEAM' }, 'matches')).toEqual(['project/decisions/database'])
    expect(await names('search', { query: 'ada' }, 'matches')).toEqual(['people/ada'])
    expect(await names('search', { query: 'decisions knows' }, 'matches')).toEqual(['project/decisions/database'])
    expect(await use(client, 'forget', { name: 'people/ada' })).toMatchObject({ data: { found: true } })
    expect(await use(client, 'forget', { name: 'people/ada' })).toMatchObject({ isError: false, data: { found: false } })
    expect(await names('list', {}, 'memories')).not.toContain('people/ada')
    expect(await names('search', { query: 'short' }, 'matches')).toEqual([])
    expect(await names('list', { phext: 'other' }, 'memories')).toEqual([])
  })

  it('lists names page by page, also when the one before is gone meanwhile', async () => {
    const tenants = await startSqTenants()
    const client = await connect(tenants.url, tenants.keys.a)
    for (const letter of 'abcde') await use(client, 'remember', { name: `n/${letter}`, text: letter })
    const first = await use(client, 'list', { limit: 2 })
    expect(first.data).toMatchObject({ memories: [{ name: 'n/a' }, { name: 'n/b' }], nextCursor: 'n/b' })
    await use(client, 'forget', { name: 'n/b' })
    expect((await use(client, 'list', { limit: 2, cursor: 'n/b' })).data).toMatchObject({ memories: [{ name: 'n/c' }, { name: 'n/d' }] })
  })

  it('pages through many', async () => {
    const tenants = await startSqTenants()
    const client = await connect(tenants.url, tenants.keys.a)
    for (let at = 1; at <= 25; at++) await tenants.ask('a', `/api/v2/update?c=1.1.1/1.1.1/1.1.${at}`, { method: 'POST', body: `entry ${at} ${at % 5 === 0 ? 'Fünf' : ''}` })
    for (const [tool, args, key, total] of [['list', {}, 'memories', 25], ['search', { query: 'fünf' }, 'matches', 5], ['search', { query: 'ENTRY' }, 'matches', 25]] as const) {
      const seen: string[] = []
      for (let cursor: unknown; ; ) {
        const { data } = await use(client, tool, { ...args, limit: 4, ...(cursor !== undefined && { cursor }) })
        const page = data![key] as { name: string }[]
        expect(page.length).toBeLessThanOrEqual(4)
        seen.push(...page.map(({ name }) => name))
        cursor = data!['nextCursor']
        if (cursor === undefined) break
      }
      expect(new Set(seen).size).toBe(total)
      expect(seen).toHaveLength(total)
    }
  })

  it('gives a long text in parts, and finds what lies behind a large one', async () => {
    const tenants = await startSqTenants()
    const client = await connect(tenants.url, tenants.keys.a)
    const long = 'ä😀'.repeat(50_000)
    await use(client, 'remember', { name: '1.1.1/1.1.1/1.1.1', text: long })
    let text = ''
    for (let offset: unknown = 0; offset !== undefined; ) {
      const { data } = await use(client, 'recall', { name: '1.1.1/1.1.1/1.1.1', offset })
      text += data!['text'] as string
      offset = data!['nextOffset']
    }
    expect(text === long).toBe(true)
    for (let at = 2; at <= 6; at++) await tenants.ask('a', `/api/v2/update?c=1.1.1/1.1.1/1.1.${at}`, { method: 'POST', body: 'x'.repeat(1_500_000) })
    await use(client, 'remember', { name: '1.1.1/1.1.1/1.1.7', text: 'the needle' })
    expect(await use(client, 'search', { query: 'needle' })).toMatchObject({ data: { matches: [{ name: '1.1.1/1.1.1/1.1.7' }] } })
  })

  it('serves two clients at once, each its own tenant\'s memory', async () => {
    const tenants = await startSqTenants()
    const [a, b] = [await connect(tenants.url, tenants.keys.a), await connect(tenants.url, tenants.keys.b)]
    await Promise.all(Array.from({ length: 20 }, (_, at) => [use(a, 'remember', { name: `1.1.1/1.1.1/1.1.${at + 1}`, text: `of a ${at}` }), use(b, 'remember', { name: `1.1.1/1.1.1/1.1.${at + 1}`, text: `of b ${at}` })]).flat())
    for (let at = 0; at < 20; at++) {
      expect((await use(a, 'recall', { name: `1.1.1/1.1.1/1.1.${at + 1}` })).text).toBe(`of a ${at}`)
      expect((await use(b, 'recall', { name: `1.1.1/1.1.1/1.1.${at + 1}` })).text).toBe(`of b ${at}`)
    }
    expect((await use(a, 'search', { query: 'of b' })).data).toMatchObject({ matches: [] })
  })

  it('speaks the protocol\'s newest and its older versions', async () => {
    const tenants = await startSqTenants()
    const newest = await connect(tenants.url, tenants.keys.a, { versionNegotiation: { mode: 'auto' } })
    expect((await newest.listTools()).tools).toHaveLength(5)
    expect(await use(newest, 'remember', { name: '1.1.1/1.1.1/1.1.1', text: 'x' })).toMatchObject({ isError: false })
    for (const version of ['2025-11-25', '2025-06-18', '2025-03-26']) {
      const answer = await (await post(tenants, message('initialize', { protocolVersion: version, ...HELLO }))).text()
      expect(answer).toContain(`"protocolVersion":"${version}"`)
    }
    expect(await (await post(tenants, message('initialize', { protocolVersion: '1999-01-01', ...HELLO }))).text()).toMatch(/"protocolVersion":"2025-\d\d-\d\d"/)
    expect((await post(tenants, message('tools/list'), { 'MCP-Protocol-Version': '1999-01-01' })).status).toBe(400)
  })

  it('refuses a wrong key, no key and another product\'s before MCP', async () => {
    const tenants = await startSqTenants({}, undefined, { b: { product: 'contextlite', api: '/api/v1/' } })
    for (const [headers, status, code] of [[{}, 401, 'key-missing'], [{ Authorization: `Bearer ${tenants.keys.a.slice(0, -1)}${tenants.keys.a.endsWith('0') ? '1' : '0'}` }, 401, /^key-/]] as const) {
      const answer = await fetch(`${tenants.url}/mcp`, { method: 'POST', body: message('ping'), headers })
      expect([answer.status, answer.headers.get('www-authenticate'), answer.headers.get('content-type')]).toEqual([status, expect.stringContaining('Bearer'), 'application/problem+json'])
      expect(((await answer.json()) as { code: string }).code).toMatch(code)
    }
    expect((await tenants.ask('b', '/mcp', { method: 'POST', body: message('ping') })).status).toBe(404)
    await expect(connect(tenants.url, 'pmb-v1-nonsense')).rejects.toThrow()
  })

  it('says in the tool\'s answer that the storage is full, and reading goes on', async () => {
    const tenants = await startSqTenants({ a: { storageMb: 1 } })
    const client = await connect(tenants.url, tenants.keys.a)
    expect(await use(client, 'remember', { name: '1.1.1/1.1.1/1.1.1', text: 'x'.repeat(900_000) })).toMatchObject({ isError: false })
    const full = await use(client, 'remember', { name: '1.1.1/1.1.1/1.1.2', text: 'x'.repeat(200_000) })
    expect(full.isError).toBe(true)
    expect(full.text).toMatch(/^The storage is full\. .*https:\/\/more\.example.*\(storage-full, request test-/)
    expect((await use(client, 'recall', { name: '1.1.1/1.1.1/1.1.1' })).isError).toBe(false)
    for (const phext of ['', 'never used']) {
      expect((await use(client, 'list', { phext })).isError).toBe(false)
      expect((await use(client, 'search', { query: 'x', phext })).isError).toBe(false)
    }
    expect(await use(client, 'forget', { name: '1.1.1/1.1.1/1.1.1' })).toMatchObject({ isError: false, data: { found: true } })
  })

  it('refuses a coordinate that is out of range in the tool\'s answer, and arguments that do not fit', async () => {
    const tenants = await startSqTenants()
    const client = await connect(tenants.url, tenants.keys.a)
    expect(await use(client, 'remember', { name: '1.1.1/1.1.1/1.1.1000', text: 'x' })).toMatchObject({ isError: true, text: expect.stringContaining('coordinate-out-of-range') as string })
    expect(await use(client, 'remember', { name: '1.1.1/1.1.1/1.1.1' })).toMatchObject({ isError: true })
    expect(await use(client, 'remember', { name: '1.1.1/1.1.1/1.1.1', text: 'x', more: 1 })).toMatchObject({ isError: true })
    await expect(use(client, 'drop_all', {})).rejects.toThrow()
  })

  it('answers what is no message in words, and goes on', async () => {
    const tenants = await startSqTenants()
    for (const body of ['{', '', 'null', '"x"', '{"jsonrpc":"1.0"}', '{"jsonrpc":"2.0","id":{},"method":1}']) {
      const answer = await post(tenants, body)
      expect(answer.status, body).toBeGreaterThanOrEqual(400)
      expect(answer.status, body).toBeLessThan(500)
      expect(await answer.text(), body).toMatch(/"error"/)
    }
    expect(await (await post(tenants, `[${message('ping')},${message('ping')}]`)).json()).toMatchObject({ status: 400, code: 'batch-not-supported' })
    expect((await post(tenants, message('ping'), { 'Content-Type': 'text/plain' })).status).toBe(415)
    expect((await post(tenants, message('ping'), { Accept: 'text/html' })).status).toBe(406)
    expect(await (await post(tenants, 'x'.repeat(9 * 1024 * 1024))).json()).toMatchObject({ status: 413, code: 'body-too-large' })
    expect((await post(tenants, message('ping'))).status).toBe(200)
  })

  it('has no sessions: GET and DELETE are 405, and nothing of a session is in an answer', async () => {
    const tenants = await startSqTenants()
    for (const method of ['GET', 'DELETE', 'PUT']) {
      const answer = await tenants.ask('a', '/mcp', { method })
      expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST'])
    }
    const hello = await post(tenants, message('initialize', { protocolVersion: '2025-11-25', ...HELLO }))
    expect(hello.headers.get('mcp-session-id')).toBeNull()
    expect((await post(tenants, message('notifications/initialized', {}, null))).status).toBe(202)
    const preflight = await fetch(`${tenants.url}/mcp`, { method: 'OPTIONS' })
    expect(preflight.headers.get('access-control-allow-headers')).toContain('MCP-Protocol-Version')
  })

  it('counts each message as one request, whatever it asks of SQ, and within the rate', async () => {
    const tenants = await startSqTenants({ a: { requestsPerDay: 3 } })
    const before = message('tools/call', { name: 'list', arguments: {} })
    const first = await post(tenants, before)
    expect(first.headers.get('ratelimit')).toContain('"day";r=2')
    await post(tenants, before)
    await post(tenants, before)
    expect(await (await post(tenants, before)).json()).toMatchObject({ status: 429, code: 'day-quota-used' })
    const usage = await (await tenants.ask('a', '/api/usage')).text()
    expect(usage).toContain('"used":3')
  })

  it('gives a read-only key the tools that read, and nothing else', async () => {
    const tenants = await startSqTenants()
    await tenants.ask('a', '/api/v2/update?c=1.1.1/1.1.1/1.1.1', { method: 'POST', body: 'here' })
    const client = await connect(tenants.url, await tenants.narrowKey('a', { readOnly: true }))
    expect((await client.listTools()).tools.map(({ name }) => name).sort()).toEqual(['list', 'recall', 'search'])
    expect((await use(client, 'recall', { name: '1.1.1/1.1.1/1.1.1' })).text).toBe('here')
    await expect(use(client, 'remember', { name: '1.1.1/1.1.1/1.1.1', text: 'gone' })).rejects.toThrow()
    await expect(use(client, 'forget', { name: '1.1.1/1.1.1/1.1.1' })).rejects.toThrow()
    expect(await (await tenants.ask('a', '/api/v2/select?c=1.1.1/1.1.1/1.1.1')).text()).toBe('here')
  })

  it('keeps a key to its phexts, and uses the first of them where none is named', async () => {
    const tenants = await startSqTenants()
    await tenants.ask('a', '/api/v2/update?p=secret&c=1.1.1/1.1.1/1.1.1', { method: 'POST', body: 'secret' })
    const client = await connect(tenants.url, await tenants.narrowKey('a', { phexts: ['notes', 'plans'] }))
    expect((await client.listTools()).tools[0]!.description).toContain('"notes", "plans"')
    expect(await use(client, 'remember', { name: '1.1.1/1.1.1/1.1.1', text: 'a note' })).toMatchObject({ isError: false })
    expect(await (await tenants.ask('a', '/api/v2/select?p=notes&c=1.1.1/1.1.1/1.1.1')).text()).toBe('a note')
    for (const phext of ['secret', '', 'secret~text', 'secret~names']) {
      for (const [tool, args] of [['recall', { name: '1.1.1/1.1.1/1.1.1' }], ['list', {}], ['search', { query: 'secret' }], ['remember', { name: '1.1.1/1.1.1/1.1.1', text: 'x' }], ['forget', { name: '1.1.1/1.1.1/1.1.1' }]] as const) {
        const refused = await use(client, tool, { ...args, phext })
        expect(refused).toMatchObject({ isError: true, text: expect.stringContaining('key-phext-denied') as string })
      }
    }
    expect(await use(client, 'remember', { name: '1.1.1/1.1.1/1.1.1', text: 'x', phext: 'plans' })).toMatchObject({ isError: false })
  })

  it('is refused with 402 while the account is suspended', async () => {
    const tenants = await startSqTenants()
    await tenants.change('a', { state: 'suspended' })
    await waitFor(async () => (await post(tenants, message('ping'))).status === 402, 'the account is suspended')
  })
})
