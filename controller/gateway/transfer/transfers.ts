/**
 * `GET /api/v2/export` and `POST /api/v2/import`: a tenant's phexts as one archive, out and in. Long, so they are few at a time, and hold no
 * more of SQ, memory or disk than one phext needs.
 */
import type { ServerResponse } from 'node:http'
import { LARGEST_PHEXT_BYTES } from '../../core/growth.ts'
import type { Incoming } from '../data-path.ts'
import type { Log } from '../log.ts'
import type { Line } from '../messages.ts'
import type { AdmitOwn, OwnRequest } from '../own-request.ts'
import type { Granted, Refuse } from '../passage.ts'
import { CORS_ORIGIN, REFUSALS, type Refusal } from '../refusal.ts'
import type { SqCaller } from '../sq-caller.ts'
import { ArchiveFault } from './archive-reader.ts'
import { writeArchive, type PhextSource } from './archive-writer.ts'
import { importArchive, newReport } from './import-archive.ts'
import { refusalOf, TRANSFER_REFUSALS } from './import-refusals.ts'
import type { PhextNames } from './phext-names.ts'
import { createPhextStore, type PhextStore } from './phext-store.ts'
import type { OpenSpool } from './spool.ts'
import { createUpload, type Patience } from './upload.ts'

export const EXPORT_PATH = '/api/v2/export'
export const IMPORT_PATH = '/api/v2/import'

export interface TransferParts {
  readonly admitOwn: AdmitOwn
  readonly refuse: Refuse
  readonly caller: SqCaller
  readonly names: PhextNames
  readonly turn: TransferTurn
  readonly openSpool: OpenSpool
  readonly patience: Patience
  readonly now: () => Date
  readonly log: Log
}

/** One at a time for each tenant, over all workers. */
export interface TransferTurn {
  /** False where another is under way. */
  begin(tenant: string): Promise<boolean>
  end(tenant: string): void
}

export interface Transfers {
  handle(incoming: Incoming, access: Granted): void
}

/** For all tenants, in one worker. */
const AT_ONCE = 8

export function createTransfers(parts: TransferParts): Transfers {
  const { refuse, log, turn } = parts
  let underWay = 0

  function transfer(incoming: Incoming, access: Granted, exporting: boolean): Promise<void> {
    const own = parts.admitOwn(incoming, access)
    if (own === undefined) return Promise.resolve()
    const { requestId, response } = incoming
    const stop = new AbortController()
    response.on('close', () => stop.abort())
    const store = createPhextStore({ ...parts, access, requestId, signal: stop.signal })
    return (exporting ? exportTo(parts, own, store, stop.signal) : importFrom(parts, own, store)).catch((error: unknown) => {
      if (!stop.signal.aborted) log.error({ err: error, requestId, tenant: access.entry.route.tenant }, exporting ? 'an export failed' : 'an import failed')
      fail(own, response)
    })
  }

  async function inTurn(tenant: string, work: () => Promise<void>, busy: () => void): Promise<void> {
    if (underWay >= AT_ONCE) return busy()
    underWay++
    try {
      if (!(await turn.begin(tenant))) return busy()
      await work().finally(() => turn.end(tenant))
    } finally {
      underWay--
    }
  }

  return {
    handle(incoming, access) {
      const { request, response, target, requestId } = incoming
      const { entry } = access
      const exporting = target.path === EXPORT_PATH
      if (request.method !== (exporting ? 'GET' : 'POST')) return refuse(incoming, exporting ? TRANSFER_REFUSALS.exportByGet : TRANSFER_REFUSALS.importByPost, entry)
      const work = async (): Promise<void> => (response.destroyed ? undefined : transfer(incoming, access, exporting))
      inTurn(entry.route.tenant, work, () => refuse(incoming, TRANSFER_REFUSALS.busy, entry)).catch((error: unknown) => {
        log.error({ err: error, requestId }, 'a transfer could not begin')
        refuse(incoming, REFUSALS.internal, entry)
      })
    },
  }
}

export function createTransferTurn(line: Pick<Line, 'ask' | 'send'>): TransferTurn {
  return {
    begin: (tenant) => line.ask('transfer', { tenant }),
    end: (tenant) => line.send({ kind: 'transfer-ended', tenant }),
  }
}

function fail(own: OwnRequest, response: ServerResponse): void {
  if (!response.headersSent && !response.destroyed) return own.refuse(REFUSALS.internal, 0)
  // The archive is not whole, and there is no other way to say so.
  response.destroy()
  own.ended(0, 0, 0)
}

async function exportTo({ names, now }: TransferParts, own: OwnRequest, store: PhextStore, signal: AbortSignal): Promise<void> {
  const { response, target, requestId } = own.incoming
  const { route } = own.access.entry
  const after = parametersOf(target.full).get('after') ?? undefined
  const listed = await names(own.access)
  if (listed.kind === 'refused') return own.takeBack(listed.refusal)
  const source: PhextSource = { names: () => Promise.resolve(listed.names), read: (name, use) => readFrom(store, name, use) }
  const archive = writeArchive(source, { tenant: route.tenant, after, now })
  signal.addEventListener('abort', () => archive.destroy())
  const disposition = `attachment; filename="${route.tenant}.tar"`
  response.writeHead(200, ['Content-Type', 'application/x-tar', 'Content-Disposition', disposition, 'Cache-Control', 'no-store', ...CORS_ORIGIN, ...own.limitHeaders, 'X-Request-Id', requestId])
  let bytesOut = 0
  for await (const piece of archive as AsyncIterable<Buffer>) {
    bytesOut += piece.length
    if (!response.write(piece)) await drained(response)
  }
  if (signal.aborted) return own.ended(0, 0, bytesOut)
  response.end()
  own.ended(200, 0, bytesOut)
}

/** An instance that is away ends the export where it is, to be gone on with later; a file that is no text is left out. */
async function readFrom(store: PhextStore, ...[name, use]: Parameters<PhextSource['read']>): ReturnType<PhextSource['read']> {
  const read = await store.read(name, use)
  if (read.kind === 'refused') throw new Error(`SQ did not give the phext: ${read.refusal.code}`)
  return read.kind === 'done' ? { kind: 'read' } : { kind: 'unreadable', reason: 'it is not text' }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done)
      resolve()
    }
    if (response.destroyed) return resolve()
    response.on('drain', done).on('close', done)
  })
}

async function importFrom({ openSpool, patience }: TransferParts, own: OwnRequest, store: PhextStore): Promise<void> {
  const { request, response, target, requestId, expectsContinue } = own.incoming
  if (expectsContinue) response.writeContinue()
  const report = newReport()
  const upload = createUpload(request, patience)
  const replace = ['1', 'true'].includes(parametersOf(target.full).get('replace') ?? '')
  let damaged = false
  try {
    await importArchive(upload.bytes(), store, { openSpool, largestBytes: LARGEST_PHEXT_BYTES, replace, mayWrite: () => true }, report)
  } catch (error) {
    if (!(error instanceof ArchiveFault)) throw error
    damaged = true
  } finally {
    upload.end()
  }
  if (response.destroyed) return own.ended(0, upload.received, 0)
  const refusal: Refusal | undefined = refusalOf(report, damaged)
  if (refusal !== undefined) return own.refuse(refusal, upload.received)
  const body = JSON.stringify({ imported: report.imported, unchanged: report.unchanged, replaced: report.replaced, complete: report.complete })
  response.writeHead(200, ['Content-Type', 'application/json', 'Content-Length', String(Buffer.byteLength(body)), 'Cache-Control', 'no-store', ...CORS_ORIGIN, ...own.limitHeaders, 'X-Request-Id', requestId])
  response.end(body)
  own.ended(200, upload.received, Buffer.byteLength(body))
}

function parametersOf(target: string): URLSearchParams {
  const query = target.indexOf('?')
  return new URLSearchParams(query === -1 ? '' : target.slice(query + 1))
}
