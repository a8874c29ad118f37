/**
 * The tools of `/mcp` over the official SDK: how a model is told of them, and what it is told back. Loaded with the first request, since the
 * SDK is larger than the gateway. A server is made for each request, so that any worker can answer any.
 */
import { createMcpHandler, fromJsonSchema, McpServer, type CallToolResult } from '@modelcontextprotocol/server'
import type { Refusal } from '../refusal.ts'
import type { Entry, Memory, Refused } from './memory.ts'

export interface McpSession {
  readonly memory: Memory
  readonly version: string
  readonly requestId: string
  /** The phexts that the key opens; undefined: any. */
  readonly phexts: readonly string[] | undefined
  readonly readOnly: boolean
  /** Why the key may not have this phext. */
  readonly refusePhext: (phext: string) => Refusal | undefined
}

const INSTRUCTIONS = `Long-term memory that outlasts this conversation. Remember what will matter later: decisions and why they were made, preferences of people,
facts about a project, where you stopped. Before you start, search or list what is remembered about the task. A memory is a text under a name, such as
"project/decisions/database": choose names that you would find again, and one subject a name. Remembering under a name that is taken replaces the text; read it first, or append.`

const NAME = {
  type: 'string',
  minLength: 1,
  maxLength: 500,
  description: 'The name of the memory, exact and case-sensitive, such as "project/decisions/database". Nine numbers such as "1.1.1/1.1.1/1.1.2" are an SQ coordinate.',
} as const
const PHEXT = { type: 'string', maxLength: 200, description: 'The phext to use, a separate space of memories. Leave it out for the usual one.' } as const
const CURSOR = { type: 'string', maxLength: 600, description: 'nextCursor of the page before, to go on from there.' } as const
const limit = (most: number, usual: number) => ({ type: 'integer', minimum: 1, maximum: most, default: usual, description: `At most so many, ${usual} without it.` }) as const

interface Named {
  readonly name: string
  readonly phext?: string
}

interface Paged {
  readonly phext?: string
  readonly limit?: number
  readonly cursor?: string
}

function input<T>(properties: Record<string, object>, required: readonly string[]) {
  return fromJsonSchema<T>({ type: 'object', properties, required: [...required], additionalProperties: false } as never)
}

/** Made once: each holds a compiled validator. */
const INPUTS = {
  remember: input<Named & { text: string; mode?: 'replace' | 'append' }>(
    {
      name: NAME,
      text: { type: 'string', minLength: 1, description: 'What to remember, as plain text or Markdown.' },
      mode: { type: 'string', enum: ['replace', 'append'], default: 'replace', description: '"append" adds to what is there, exactly as given: begin with a newline if one is wanted.' },
      phext: PHEXT,
    },
    ['name', 'text'],
  ),
  recall: input<Named & { offset?: number }>(
    { name: NAME, phext: PHEXT, offset: { type: 'integer', minimum: 0, default: 0, description: 'For a long text: nextOffset of the answer before.' } },
    ['name'],
  ),
  search: input<Paged & { query: string }>(
    { query: { type: 'string', minLength: 1, maxLength: 500, description: 'Words that all have to be in the text or the name. Case does not matter; parts of words count.' }, phext: PHEXT, limit: limit(100, 20), cursor: CURSOR },
    ['query'],
  ),
  list: input<Paged & { prefix?: string }>(
    { prefix: { type: 'string', maxLength: 500, description: 'Only names that begin with it, such as "project/".' }, phext: PHEXT, limit: limit(1000, 100), cursor: CURSOR },
    [],
  ),
  forget: input<Named>({ name: NAME, phext: PHEXT }, ['name']),
}

const ENTRIES = { type: 'array', items: { type: 'object', properties: { name: { type: 'string' }, preview: { type: 'string' } }, required: ['name', 'preview'] } } as const
const output = (properties: Record<string, object>, required: readonly string[]) => fromJsonSchema<Record<string, unknown>>({ type: 'object', properties, required: [...required] } as never)

const OUTPUTS = {
  remember: output({ name: { type: 'string' }, bytes: { type: 'integer' } }, ['name', 'bytes']),
  recall: output({ name: { type: 'string' }, found: { type: 'boolean' }, text: { type: 'string' }, nextOffset: { type: 'integer' } }, ['name', 'found']),
  search: output({ matches: ENTRIES, nextCursor: { type: 'string' } }, ['matches']),
  list: output({ memories: ENTRIES, nextCursor: { type: 'string' } }, ['memories']),
  forget: output({ name: { type: 'string' }, found: { type: 'boolean' } }, ['name', 'found']),
}

/** Of one text in one answer: more would fill a model's context. */
const RECALLED_CHARACTERS = 100_000

export interface McpRequest {
  readonly headers: Headers
  /** As it came; parsed where it is JSON. */
  readonly body: Buffer
  readonly parsed: unknown
  readonly signal: AbortSignal
}

export async function answerMcp(session: McpSession, { headers, body, parsed, signal }: McpRequest, onError: (error: Error) => void): Promise<Response> {
  const handler = createMcpHandler(() => createServer(session), { maxSubscriptions: 0, onerror: onError })
  const request = new Request('http://gateway/mcp', { method: 'POST', headers, body: new Uint8Array(body), signal })
  return handler.fetch(request, parsed === undefined ? {} : { parsedBody: parsed })
}

function createServer(session: McpSession): McpServer {
  const server = new McpServer({ name: 'tenantry-memory', title: 'Memory', version: session.version }, { instructions: INSTRUCTIONS })
  addReading(server, session)
  if (!session.readOnly) addWriting(server, session)
  return server
}

/** The one that a call without `phext` means: with a key for some phexts only, the first of them, unless the usual one is among them. */
function usualPhext({ phexts }: McpSession): string {
  return phexts === undefined || phexts.includes('') ? '' : (phexts[0] ?? '')
}

function whichPhexts({ phexts }: McpSession): string {
  return phexts === undefined ? '' : ` This key opens the phexts ${phexts.map((phext) => JSON.stringify(phext)).join(', ')} only.`
}

/** Answers a call, unless the key does not open the phext. */
async function within(session: McpSession, phext: string | undefined, work: (phext: string) => Promise<CallToolResult>): Promise<CallToolResult> {
  const chosen = phext ?? usualPhext(session)
  const refusal = session.refusePhext(chosen)
  return refusal === undefined ? work(chosen) : refused(session, { kind: 'refused', refusal })
}

function addReading(server: McpServer, session: McpSession): void {
  const { memory } = session
  const annotations = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false }
  server.registerTool(
    'recall',
    { title: 'Recall', description: `Reads the text that is remembered under a name.${whichPhexts(session)}`, inputSchema: INPUTS.recall, outputSchema: OUTPUTS.recall, annotations },
    ({ name, phext, offset = 0 }) =>
      within(session, phext, async (chosen) => {
        const recalled = await memory.recall(chosen, name)
        if (recalled.kind === 'refused') return refused(session, recalled)
        if (recalled.kind === 'nothing') return answer(`Nothing is remembered under "${name}". Use list or search to find the right name.`, { name, found: false })
        const end = wholeAt(recalled.text, offset + RECALLED_CHARACTERS)
        const text = recalled.text.slice(offset, end)
        return answer(text, { name, found: true, text, ...(end < recalled.text.length && { nextOffset: end }) })
      }),
  )
  server.registerTool(
    'search',
    { title: 'Search', description: `Finds memories whose text or name has all the given words, with what is around them. When nextCursor is there, more may be found with it.${whichPhexts(session)}`, inputSchema: INPUTS.search, outputSchema: OUTPUTS.search, annotations },
    ({ query, phext, limit = 20, cursor }) =>
      within(session, phext, async (chosen) => {
        const found = await memory.search(chosen, query, { limit, cursor })
        if (found.kind === 'refused') return refused(session, found)
        return answer(found.matches.length === 0 ? `Nothing with "${query}" ${found.next === undefined ? 'is remembered' : 'so far; go on with nextCursor'}.` : lines(found.matches), { matches: found.matches, ...(found.next !== undefined && { nextCursor: found.next }) })
      }),
  )
  server.registerTool(
    'list',
    { title: 'List', description: `Lists the names of what is remembered, in the order of the alphabet, with the first line of each.${whichPhexts(session)}`, inputSchema: INPUTS.list, outputSchema: OUTPUTS.list, annotations },
    ({ prefix = '', phext, limit = 100, cursor }) =>
      within(session, phext, async (chosen) => {
        const listed = await memory.list(chosen, prefix, { limit, cursor })
        if (listed.kind === 'refused') return refused(session, listed)
        return answer(listed.entries.length === 0 ? 'Nothing is remembered here yet.' : lines(listed.entries), { memories: listed.entries, ...(listed.next !== undefined && { nextCursor: listed.next }) })
      }),
  )
}

function addWriting(server: McpServer, session: McpSession): void {
  const { memory } = session
  server.registerTool(
    'remember',
    {
      title: 'Remember',
      description: `Keeps a text under a name, beyond this conversation. What is under the name already is replaced, or added to with mode "append".${whichPhexts(session)}`,
      inputSchema: INPUTS.remember,
      outputSchema: OUTPUTS.remember,
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: false },
    },
    ({ name, text, mode = 'replace', phext }) =>
      within(session, phext, async (chosen) => {
        const remembered = await memory.remember(chosen, name, text, mode)
        return remembered.kind === 'refused' ? refused(session, remembered) : answer(`Remembered ${remembered.bytes} bytes under "${name}".`, { name, bytes: remembered.bytes })
      }),
  )
  server.registerTool(
    'forget',
    {
      title: 'Forget',
      description: `Removes what is remembered under a name, for good.${whichPhexts(session)}`,
      inputSchema: INPUTS.forget,
      outputSchema: OUTPUTS.forget,
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    },
    ({ name, phext }) =>
      within(session, phext, async (chosen) => {
        const forgotten = await memory.forget(chosen, name)
        if (forgotten.kind === 'refused') return refused(session, forgotten)
        return forgotten.kind === 'nothing' ? answer(`Nothing was remembered under "${name}".`, { name, found: false }) : answer(`Forgot "${name}".`, { name, found: true })
      }),
  )
}

const answer = (text: string, structuredContent: Record<string, unknown>): CallToolResult => ({ content: [{ type: 'text', text }], structuredContent })

const lines = (entries: readonly Entry[]): string => entries.map(({ name, preview }) => `${name}: ${preview}`).join('\n')

/** The text of the problem that the same call would get over HTTP. */
function refused({ requestId }: McpSession, { refusal }: Refused): CallToolResult {
  const { title, detail, code, link, retryAfterSeconds } = refusal
  const more = [link === undefined || detail.includes(link) ? '' : ` See ${link}.`, retryAfterSeconds === undefined ? '' : ` Try again in ${retryAfterSeconds} s.`].join('')
  return { isError: true, content: [{ type: 'text', text: `${title}. ${detail}${more} (${code}, request ${requestId})` }] }
}

/** Not in the middle of a character that takes two places. */
function wholeAt(text: string, at: number): number {
  if (at >= text.length) return text.length
  const code = text.charCodeAt(at)
  return code >= 0xdc00 && code <= 0xdfff ? at - 1 : at
}
