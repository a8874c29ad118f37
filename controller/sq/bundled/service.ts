/**
 * From a request to its answer: who asks, which phext, which command, in the order in which SQ refuses.
 * The two modes of SQ differ in many small things; each has its function here. Sockets are `http/server.ts`.
 */
import type { CommandName } from './commands.ts'
import type { TenantMap } from './config.ts'
import type { Answer } from './http/answer.ts'
import { headerValue, parseParameters, type HttpRequest } from './http/request.ts'
import type { Library } from './library.ts'
import { parseCoordinate } from './phext.ts'
import { parseQuery } from './query.ts'
import { lines, parseUsize, trim } from './rust-text.ts'

export interface Caller {
  readonly isLoopback: boolean
  /** Counts connections from 1. */
  readonly connection: number
}

/** Undefined is no answer: the connection closes. */
export interface Service {
  answer(request: HttpRequest, caller: Caller): Answer | undefined
  /** The request was too large for SQ's limits. */
  rejected(message: string): Answer
  /** The peer ended, or was silent for too long, before its request was whole. */
  unfinished: Answer | undefined
  /** There are as many connections as there may be. */
  full: Answer | undefined
}

interface Route {
  readonly start: string
  readonly command: CommandName
  /** Whether the body, or a parameter `content`, is the text instead of the parameter `s`. */
  readonly takesBody?: true
}

const get = (command: CommandName): Route => ({ start: `GET /api/v2/${command}`, command })
const post = (command: CommandName): Route => ({ start: `POST /api/v2/${command}`, command, takesBody: true })

/** A route is everything that starts like it. */
const ROUTES: readonly Route[] = [
  ...(['load', 'select', 'insert', 'update', 'delete', 'status', 'checksum', 'toc', 'get', 'delta', 'version', 'json-export', 'query'] as const).map(get),
  ...(['insert', 'update', 'where', 'delta', 'query'] as const).map(post),
]

const refuse = (status: Answer['status'], text: string): Answer => ({ status, text })
const badRequest = refuse(400, 'Bad Request')
const unauthorized = refuse(401, 'Unauthorized')

interface Place {
  /** Undefined: the working folder. */
  readonly dataDir: string | undefined
  readonly connection: number
  readonly invalidName: Answer
}

function run(library: Library, header: string, parameters: ReadonlyMap<string, string>, place: Place): Answer {
  const name = parameters.get('p') ?? ''
  if (name.includes('..') || name.includes('/') || name.includes('\\')) return place.invalidName
  const route = ROUTES.find(({ start }) => header.startsWith(start))
  if (!route) return refuse(404, 'Not Found')

  const parsed = route.command === 'query' ? parseQuery(parameters) : undefined
  if (parsed?.kind === 'invalid') return refuse(400, `Bad Request: ${parsed.message}`)
  const { status, text } = library.run({
    name: route.command,
    path: place.dataDir === undefined ? `${name}.phext` : `${place.dataDir}/${name}.phext`,
    connection: place.connection,
    coordinate: parseCoordinate(parameters.get('c') ?? ''),
    text: (route.takesBody ? parameters.get('content') : undefined) ?? parameters.get('s') ?? '',
    algorithm: parameters.get('algo') === 'checksum' ? 'checksum' : 'xor',
    limit: parseUsize(parameters.get('limit') ?? '') ?? 100n,
    ...(parsed && { query: parsed.query }),
  })
  return { status, text }
}

function withoutBearer(value: string): string {
  const token = trim(value)
  return /^bearer /i.test(token) ? trim(token.slice('bearer '.length)) : token
}

/** The first header that names a tenant counts; one that names nobody is passed over. */
function findTenant(header: string, tenants: TenantMap) {
  for (const line of lines(header)) {
    const lower = line.toLowerCase()
    const token = lower.startsWith('authorization:') ? withoutBearer(headerValue(line)) : lower.startsWith('x-sq-api-key:') ? trim(headerValue(line)) : undefined
    const tenant = token === undefined ? undefined : tenants.get(token)
    if (tenant) return tenant
  }
  return undefined
}

export interface TenantsOptions {
  readonly library: Library
  readonly tenants: () => TenantMap
  /** Starts reading the file again; must return at once. */
  readonly reload: () => void
}

/** SQ for many tenants: `--config FILE`. */
export function createTenantsService({ library, tenants, reload }: TenantsOptions): Service {
  const invalidName = refuse(403, 'Forbidden: Invalid phext path')
  return {
    answer(request, caller) {
      const { header } = request
      if (header.startsWith('OPTIONS ')) return refuse(204, '')
      if (header.startsWith('POST /api/v2/reload')) {
        if (!caller.isLoopback) return refuse(403, 'Forbidden: Reload endpoint only accessible from localhost')
        reload()
        return { status: 200, text: 'Config reload triggered' }
      }
      if (!header.startsWith('GET ') && !header.startsWith('POST')) return badRequest
      const tenant = findTenant(header, tenants())
      if (!tenant) return unauthorized
      const parameters = parseParameters(request)
      if (!parameters) return badRequest
      return run(library, header, parameters, { dataDir: tenant.dataDir, connection: 0, invalidName })
    },
    rejected: () => badRequest,
    unfinished: badRequest,
    full: undefined,
  }
}

/** The first line that starts with the name, which need not be the header's whole name. */
function findHeader(header: string, name: string): string | undefined {
  for (const line of lines(header)) if (line.toLowerCase().startsWith(name) && line.includes(':')) return headerValue(line)
  return undefined
}

export interface OneOptions {
  readonly library: Library
  /** Undefined: everybody may. */
  readonly key: string | undefined
  readonly dataDir: string | undefined
}

const PREFLIGHT = ['Access-Control-Allow-Methods: GET, POST, OPTIONS', 'Access-Control-Allow-Headers: Authorization, Content-Type', 'Access-Control-Max-Age: 86400']

/** SQ for one tenant: `--key TOKEN --data-dir DIR`. */
export function createOneService({ library, key, dataDir }: OneOptions): Service {
  const invalidName = refuse(403, 'Forbidden: invalid phext path')
  function isAllowed(header: string): boolean {
    if (key === undefined) return true
    const value = findHeader(header, 'authorization') ?? findHeader(header, 'x-sq-api-key')
    return value !== undefined && withoutBearer(value) === key
  }
  return {
    answer(request, caller) {
      const { header } = request
      if (header.startsWith('OPTIONS ')) return { status: 204, text: '', headers: PREFLIGHT }
      if (!header.startsWith('GET ') && !header.startsWith('POST ')) return badRequest
      if (!isAllowed(header)) return unauthorized
      const parameters = parseParameters(request)
      return parameters && run(library, header, parameters, { dataDir, connection: caller.connection, invalidName })
    },
    rejected: (message) => refuse(413, message),
    unfinished: undefined,
    full: refuse(503, 'Service Unavailable: connection limit reached'),
  }
}
