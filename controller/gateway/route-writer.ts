/**
 * The controller's side of the routes: appends what changed, writes nothing for what stands already, and compacts when the log has
 * grown. Keeps a digest for each tenant, not the route: the files are the memory. One writer at a time (the controller).
 */
import { mkdir } from 'node:fs/promises'
import type { HeaderFacts } from '../core/header-facts.ts'
import type { Route } from '../core/route.ts'
import type { TenantId } from '../core/specs.ts'
import { discardLog, isIntact, isLarge, newHeader, openFiles, readOn, readStanding, removeStrays, sealOf, standingLines, WRITE_BYTES, writeFully, writeGeneration } from './route-files.ts'
import type { RouteFiles, RoutePosition, RouteSeal } from './route-files.ts'
import { encodeDrop, encodePut, lineDigest } from './route-log.ts'
import { createStandingLines, type KeptLines, type StandingLines } from './standing-lines.ts'

export interface RouteWriterOptions {
  /** As the repository has them now. What is left out is nothing. */
  readonly facts: () => Partial<HeaderFacts>
  readonly now: () => Date
}

export interface RouteWriter {
  /** Reads what stands in the files and repairs a torn end, so that only differences are written afterwards. Call once, first. */
  load(kept?: KeptRoutes): Promise<LoadedRoutes>
  /** Makes the routes exactly these. Nothing is dropped unless `routes` was read to its end. Files that were damaged are written anew. */
  replaceAll(routes: Iterable<Route>): Promise<WriteCount>
  /** Resolves when the records are in the log, from where every gateway takes them within milliseconds. */
  put(routes: readonly Route[]): Promise<WriteCount>
  drop(tenants: readonly TenantId[]): Promise<WriteCount>
  /** Brings the facts of the header in step with the repository; writes nothing where they are. */
  refresh(): Promise<void>
  has(tenant: TenantId): boolean
  /** Of the line that stands for the tenant. */
  digestOf(tenant: TenantId): string | undefined
  /** How far the files go; undefined where there are none. */
  readonly position: RoutePosition | undefined
  seal(position: RoutePosition): Promise<RouteSeal | undefined>
  readonly size: number
  close(): Promise<void>
}

/** What an earlier process knew of the files, up to where it sealed them. */
export interface KeptRoutes {
  readonly seal: RouteSeal
  readonly lines: KeptLines
}

export interface LoadedRoutes {
  readonly tenants: number
  readonly corruptLines: number
  /** Those whose lines may be others than were kept: `all` where nothing was kept, or the files are not as they were. */
  readonly changed: ReadonlySet<TenantId> | 'all'
}

export interface WriteCount {
  /** Records written; 0 when everything stood already. */
  readonly written: number
}

/** `line` absent: the tenant goes. */
interface Change {
  readonly tenant: TenantId
  readonly line: string | undefined
}

interface State {
  readonly folder: string
  readonly options: RouteWriterOptions
  /** Tenant to the digest of the line that stands for it in the files. */
  readonly standing: StandingLines
  /** Absent until there is a snapshot. */
  files: RouteFiles | undefined
}

export function createRouteWriter(folder: string, options: RouteWriterOptions): RouteWriter {
  const state: State = { folder, options, standing: createStandingLines(), files: undefined }
  let turn: Promise<unknown> = Promise.resolve()

  /** One change after the other, a failed one not in the way of the next. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = turn.then(work, work)
    turn = result.catch(() => undefined)
    return result
  }

  return {
    load: (kept) => inTurn(() => load(state, kept)),
    replaceAll: (routes) => inTurn(() => replaceAll(state, routes)),
    put: (routes) => inTurn(() => apply(state, routes.map(putChange))),
    drop: (tenants) => inTurn(async () => (state.files === undefined ? { written: 0 } : apply(state, tenants.map(dropChange)))),
    refresh: () => inTurn(() => refresh(state)),
    has: (tenant) => state.standing.get(tenant) !== undefined,
    digestOf: (tenant) => state.standing.get(tenant),
    get position() {
      return state.files && { generation: state.files.header.generation, snapshotBytes: state.files.snapshotBytes, logBytes: state.files.logBytes }
    },
    seal: (position) => sealOf(folder, position),
    get size() {
      return state.standing.size
    },
    close: () =>
      inTurn(async () => {
        await state.files?.log.close()
        state.files = undefined
      }),
  }
}

const putChange = (route: Route): Change => ({ tenant: route.tenant, line: encodePut(route) })
const dropChange = (tenant: TenantId): Change => ({ tenant, line: undefined })

async function load(state: State, kept: KeptRoutes | undefined): Promise<LoadedRoutes> {
  const { folder, standing } = state
  await mkdir(folder, { recursive: true, mode: 0o700 })
  standing.begin(kept?.lines)
  const on = kept && (await readOn(folder, kept.seal, standing))
  if (on === undefined) standing.begin()
  const found = on === undefined ? await readStanding(folder, standing) : on.found
  if (found !== undefined) {
    state.files = await openFiles(folder, found)
    if (found.corruptLines > 0 || isLarge(state.files)) await compact(state, state.files)
    else await refresh(state)
  }
  await removeStrays(folder, state.files?.header.log)
  return { tenants: standing.size, corruptLines: found?.corruptLines ?? 0, changed: on === undefined || found!.corruptLines > 0 ? 'all' : on.later }
}

async function refresh(state: State): Promise<void> {
  const { files, options } = state
  if (files !== undefined && JSON.stringify(factsOf(files.header)) !== JSON.stringify(factsOf(options.facts()))) await compact(state, files)
}

/** In one order, whatever order they were made in. */
function factsOf({ links = {}, products = {}, plans = {} }: Partial<HeaderFacts>): HeaderFacts {
  return { links, products, plans }
}

async function replaceAll(state: State, routes: Iterable<Route>): Promise<WriteCount> {
  const { folder, standing } = state
  if (state.files !== undefined && !(await isIntact(folder, state.files))) {
    await discardLog(folder, state.files)
    state.files = undefined
    standing.begin()
  }
  const gone = new Set([...standing.entries()].map(([tenant]) => tenant))
  function* changes(): Generator<Change> {
    for (const route of routes) {
      gone.delete(route.tenant)
      yield putChange(route)
    }
    for (const tenant of gone) yield dropChange(tenant)
  }
  return apply(state, changes())
}

/** Writes the changes that change anything. Without a snapshot yet, they become the first one. */
async function apply(state: State, changes: Iterable<Change>): Promise<WriteCount> {
  const { files, standing } = state
  if (files === undefined) return begin(state, changes)
  let written = 0
  let text = ''
  const pending = new Map<TenantId, string | undefined>()
  const flush = async (): Promise<void> => {
    if (text !== '') await append(state, files, text, pending)
    text = ''
    pending.clear()
  }
  for (const { tenant, line } of changes) {
    const digest = line === undefined ? undefined : lineDigest(line)
    if ((pending.has(tenant) ? pending.get(tenant) : standing.get(tenant)) === digest) continue
    text += line ?? encodeDrop(tenant)
    pending.set(tenant, digest)
    written++
    if (text.length >= WRITE_BYTES) await flush()
  }
  await flush()
  if (isLarge(files)) await compact(state, files)
  return { written }
}

async function append({ folder, standing }: State, files: RouteFiles, text: string, changes: ReadonlyMap<TenantId, string | undefined>): Promise<void> {
  const bytes = Buffer.from(text)
  try {
    await writeFully(files.log, bytes, files.logBytes)
  } catch (cause) {
    // A half-written batch would join with the next one into a corrupt line.
    await files.log.truncate(files.logBytes).catch(() => undefined)
    throw new Error(`The routes' log in ${folder} cannot be written: the gateway keeps the routes that it has.`, { cause })
  }
  files.logBytes += bytes.length
  for (const [tenant, digest] of changes) {
    if (digest === undefined) standing.delete(tenant)
    else standing.set(tenant, digest)
  }
}

/** The first snapshot, in one piece: no gateway ever sees a part of it. */
async function begin(state: State, changes: Iterable<Change>): Promise<WriteCount> {
  const { folder, options, standing } = state
  const next = new Map<TenantId, string>()
  function* lines(): Generator<string> {
    for (const { tenant, line } of changes) {
      if (line === undefined || next.has(tenant)) continue
      next.set(tenant, lineDigest(line))
      yield line
    }
  }
  state.files = await writeGeneration(folder, newHeader(factsOf(options.facts()), options.now()), lines())
  for (const [tenant, digest] of next) standing.set(tenant, digest)
  return { written: next.size }
}

async function compact(state: State, old: RouteFiles): Promise<void> {
  const { folder, options, standing } = state
  const wanted = new Map(standing.entries())
  const header = { ...newHeader(factsOf(options.facts()), options.now()), continues: { log: old.header.log, bytes: old.logBytes } }
  state.files = await writeGeneration(folder, header, standingLines(folder, old, wanted))
  // What the old files had lost: the next replaceAll writes it again.
  for (const tenant of wanted.keys()) standing.delete(tenant)
  await discardLog(folder, old)
}
