/**
 * What a narrower key may of what its tenant may: read-only, some phexts only. A call to SQ is read as SQ reads it; one that is not
 * known to be harmless is refused, since SQ gets the tenant's own key and would do it. Pure.
 */
import { hasPhexts, phextOpens, SQ_API } from '../core/phext-scope.ts'
import { readSqCall, type SqCall, type SqCommand } from '../core/sq-call.ts'
import { REFUSALS, type Refusal } from './refusal.ts'
import type { NarrowerKey, TableKey } from './route-table.ts'

/** SQ's calls that change nothing of what is stored, neither in memory nor on disk. `json-export` writes a file, `load` reads one anew. */
const READS: ReadonlySet<SqCommand> = new Set(['select', 'where', 'status', 'checksum', 'toc', 'get', 'delta', 'version', 'query'])
const READ_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])
const DELETE_CALL = `${SQ_API}delete`
/** The gateway's own: a tenant's phexts as a whole. */
const EXPORT = `${SQ_API}export`
const IMPORT = `${SQ_API}import`
/** Its tools ask for each phext that they touch. */
const MCP = '/mcp'

export interface Asked {
  readonly method: string
  /** Path and query as they came. */
  readonly target: string
}

/** Why the key may not make this request under its product's path; undefined where it may. */
export function scopeRefusal({ narrower, route }: TableKey, asked: Asked): Refusal | undefined {
  if (narrower === undefined || (!narrower.readOnly && narrower.phexts === undefined)) return undefined
  if (hasPhexts(route.api)) return sqRefusal(narrower, asked)
  return narrower.readOnly && !READ_METHODS.has(asked.method) ? REFUSALS.keyReadOnly : undefined
}

/** For what the gateway does by itself for a key: why it may not write. */
export function writeRefusal({ narrower }: Pick<TableKey, 'narrower'>): Refusal | undefined {
  return narrower?.readOnly === true ? REFUSALS.keyReadOnly : undefined
}

/** For what the gateway does by itself for a key: why it may not open this phext. */
export function phextRefusal({ narrower }: Pick<TableKey, 'narrower'>, phext: string): Refusal | undefined {
  return narrower?.phexts === undefined || phextOpens(narrower.phexts, phext) ? undefined : phextDenied(phext, narrower.phexts)
}

/** For what the gateway does by itself for a key: why it may not have everything that the tenant stores. */
export function wholeRefusal({ narrower }: Pick<TableKey, 'narrower'>): Refusal | undefined {
  return narrower?.phexts === undefined ? undefined : REFUSALS.keyNotWhole
}

function sqRefusal(narrower: NarrowerKey, { method, target }: Asked): Refusal | undefined {
  const path = target.split('?', 1)[0]!
  if (path === MCP) return undefined
  if (path === EXPORT) return wholeRefusal({ narrower })
  if (path === IMPORT) return writeRefusal({ narrower }) ?? wholeRefusal({ narrower })
  const call = readCall(method, target)
  if (call === undefined) return REFUSALS.keyCallUnknown
  if (narrower.readOnly && !READS.has(call.command)) return REFUSALS.keyReadOnly
  return phextRefusal({ narrower }, call.phext)
}

/** DELETE of what GET deletes means the same here; SQ itself does not know it. */
function readCall(method: string, target: string): SqCall | undefined {
  return readSqCall(method === 'DELETE' && target.startsWith(DELETE_CALL) ? 'GET' : method, target)
}

function phextDenied(phext: string, open: readonly string[]): Refusal {
  const which = phext === '' ? 'no phext (parameter p), and that one' : `the phext ${JSON.stringify(phext)}, which`
  const names = open.length === 0 ? 'none at all' : open.map((name) => (name === '' ? 'the one without a name' : JSON.stringify(name))).join(', ')
  const detail = `The request names ${which} this key does not open. It opens ${names}.`
  return { status: 403, code: 'key-phext-denied', title: 'The key does not open this phext', detail, measured: { field: 'p', phext: phext.slice(0, 200) } }
}
