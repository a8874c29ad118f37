// Stand-in for ContextLite, whose real binary is other people's: enough of its HTTP API to be started, asked and kept alive.
// Keeps documents as JSON lines in the data folder. Knows nothing of tenants or keys: the gateway in front of it does.
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'

const PORT = 8080
const FOLDER = '/data'
const FILE = `${FOLDER}/documents.jsonl`
const BODY_LIMIT = 10_000_000
/** The usual rough rule: four characters to a token. */
const CHARACTERS_PER_TOKEN = 4

mkdirSync(FOLDER, { recursive: true })
const documents = existsSync(FILE) ? readFileSync(FILE, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line)) : []

const words = (text) => new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [])

function addDocument({ content, path }) {
  if (typeof content !== 'string' || typeof path !== 'string') return [400, { error: 'content and path are texts: {"content": "…", "path": "doc1.md"}' }]
  const document = { id: `doc-${documents.length + 1}`, path, content }
  appendFileSync(FILE, `${JSON.stringify(document)}\n`)
  documents.push(document)
  return [201, { id: document.id, path }]
}

function assembleContext({ query, max_tokens: maxTokens = 4000 }) {
  if (typeof query !== 'string') return [400, { error: 'query is a text: {"query": "…", "max_tokens": 4000}' }]
  const wanted = words(query)
  const scored = documents
    .map((document) => ({ document, score: [...words(document.content)].filter((word) => wanted.has(word)).length }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
  const chosen = []
  let tokens = 0
  for (const { document, score } of scored) {
    const cost = Math.ceil(document.content.length / CHARACTERS_PER_TOKEN)
    if (tokens + cost > maxTokens) continue
    tokens += cost
    chosen.push({ id: document.id, path: document.path, content: document.content, score })
  }
  return [200, { documents: chosen, total_tokens: tokens }]
}

const routes = {
  'GET /api/v1/health': () => [200, { status: 'healthy', version: 'stand-in', documents: documents.length }],
  'POST /api/v1/documents': addDocument,
  'POST /api/v1/context/assemble': assembleContext,
}

async function readBody(request) {
  const chunks = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > BODY_LIMIT) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function parseObject(text) {
  try {
    const value = JSON.parse(text === '' ? '{}' : text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

async function answer(request) {
  const route = routes[`${request.method} ${request.url.split('?')[0]}`]
  if (route === undefined) return [404, { error: 'no such route' }]
  const text = await readBody(request)
  if (text === undefined) return [413, { error: `the body is over ${BODY_LIMIT} bytes` }]
  const body = parseObject(text)
  return body === undefined ? [400, { error: 'the body is not a JSON object' }] : route(body)
}

const server = createServer((request, response) => {
  void answer(request)
    .catch((error) => [500, { error: String(error) }])
    .then(([status, body]) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(`${JSON.stringify(body)}\n`)
    })
})
server.listen(PORT)
process.on('SIGTERM', () => {
  server.close(() => process.exit(0))
  server.closeAllConnections()
})
