/**
 * One tenant's phexts as export and import see them: whole texts, read and written through SQ like any request of the tenant's, storage
 * limit and place in line included. A text with breaks goes in as one write, and SQ is then told to read the file again.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { Coordinate } from '../../core/coordinate.ts'
import { ORIGIN, walkOver, wholeCharacters, writeCoordinate } from '../../core/phext-walk.ts'
import type { AnswerWriter, Destination } from '../destination.ts'
import type { ForwardOutcome } from '../forward.ts'
import type { Granted } from '../passage.ts'
import { REFUSALS, type Refusal } from '../refusal.ts'
import type { SqCaller, SqCallerRequest, SqCallOptions, SqReply } from '../sq-caller.ts'
import type { OpenSpool, Spool, Spooled } from './spool.ts'

export interface PhextStore {
  /** Calls `use` with the whole text, empty where there is no such phext: SQ makes one then. */
  read(name: string, use: (text: Spooled) => Promise<void>): Promise<Done>
  /** Writes a whole text into a phext that holds nothing. */
  fill(name: string, text: Spooled): Promise<Done>
  update(name: string, coordinate: Coordinate, text: string): Promise<Done>
  remove(name: string, coordinate: Coordinate): Promise<Done>
  /** SQ reads the file again. */
  load(name: string): Promise<Done>
}

export type Done = { readonly kind: 'done' } | { readonly kind: 'unreadable' } | { readonly kind: 'refused'; readonly refusal: Refusal }

export interface PhextStoreParts {
  readonly caller: SqCaller
  readonly openSpool: OpenSpool
  readonly access: Granted
  readonly requestId: string
  readonly signal: AbortSignal
}

/** A larger text goes in piece by piece: each costs SQ a rewrite of the file. */
const PIECE_BYTES = 32 * 1024 * 1024
const TRIES = 5
const FIRST_PAUSE_MS = 100
/** What SQ answers, with 200, where the file is no text. */
const UNREADABLE = 'Unable to open requested phext '
const DONE: Done = { kind: 'done' }

export function createPhextStore({ caller, openSpool, access, requestId, signal }: PhextStoreParts): PhextStore {
  const options: SqCallOptions = { signal, requestId }

  async function call(request: SqCallerRequest, more: SqCallOptions = options): Promise<Done> {
    for (let tried = 1; ; tried++) {
      const reply = await caller.call(access, request, more)
      if (reply.kind === 'answered') return doneFor(reply)
      if (!mayComeBack(reply.refusal, reply.delivered) || tried === TRIES || signal.aborted) return { kind: 'refused', refusal: reply.refusal }
      await wait(FIRST_PAUSE_MS * 2 ** tried)
    }
  }

  async function read(name: string, use: (text: Spooled) => Promise<void>): Promise<Done> {
    for (let tried = 1; ; tried++) {
      const spool = await openSpool()
      try {
        const outcome = await spoolAnswer(spool, (destination) => caller.into(destination, access, { method: 'GET', target: targetOf('get', name) }, options))
        if (outcome.kind === 'answered' && outcome.status === 200) {
          const text = spool.finish()
          if (await isUnreadable(name, text)) return { kind: 'unreadable' }
          await use(text)
          return DONE
        }
        const refusal = outcome.kind === 'refused' ? outcome.refusal : outcome.kind === 'answered' ? refusalFor(outcome.status) : REFUSALS.instanceClosed
        if (!mayComeBack(refusal, false) || tried === TRIES || signal.aborted) return { kind: 'refused', refusal }
      } finally {
        await spool.close()
      }
      await wait(FIRST_PAUSE_MS * 2 ** tried)
    }
  }

  /** Whether the text is SQ's complaint and not what is stored: SQ then holds another length. */
  async function isUnreadable(name: string, text: Spooled): Promise<boolean> {
    if (text.bytes < UNREADABLE.length || (await text.at(0, UNREADABLE.length)).toString() !== UNREADABLE) return false
    const reply = await caller.call(access, { method: 'GET', target: targetOf('status', name) }, options)
    return reply.kind === 'answered' && !reply.body.toString().includes(`Phext Size: ${text.bytes}\n`)
  }

  async function fill(name: string, text: Spooled): Promise<Done> {
    let coordinate = ORIGIN
    for (let offset = 0; offset < text.bytes; ) {
      const bytes = await text.at(offset, PIECE_BYTES)
      const piece = bytes.subarray(0, wholeCharacters(bytes))
      // The first begins anew: sent twice, it is there once.
      const target = targetOf(offset === 0 ? 'update' : 'insert', name, coordinate)
      const written = await call({ method: 'POST', target, body: piece }, { ...options, loadsAfterwards: true })
      if (written.kind !== 'done') return written
      const loaded = await load(name)
      if (loaded.kind !== 'done') return loaded
      offset += piece.length
      coordinate = walkOver(coordinate, piece)
    }
    return DONE
  }

  const load = (name: string): Promise<Done> => call({ method: 'GET', target: targetOf('load', name) })

  return {
    read,
    fill,
    load,
    update: (name, coordinate, text) => call({ method: 'POST', target: targetOf('update', name, coordinate), body: Buffer.from(text) }),
    remove: (name, coordinate) => call({ method: 'GET', target: targetOf('delete', name, coordinate) }),
  }
}

function targetOf(command: string, name: string, coordinate?: Coordinate): string {
  const at = coordinate === undefined ? '' : `&c=${writeCoordinate(coordinate)}`
  return `/api/v2/${command}?p=${encodeURIComponent(name)}${at}`
}

function doneFor(reply: Extract<SqReply, { kind: 'answered' }>): Done {
  return reply.status === 200 ? DONE : { kind: 'refused', refusal: refusalFor(reply.status) }
}

function refusalFor(status: number): Refusal {
  return { ...REFUSALS.instanceMalformed, detail: `The instance answered with ${status}.` }
}

/** A full line or an instance that restarts: what was not delivered can be sent again. */
function mayComeBack({ status, retryAfterSeconds }: Refusal, delivered: boolean): boolean {
  return !delivered && (status === 503 || status === 502) && retryAfterSeconds !== undefined
}

/** While more than this waits for the disk, SQ waits too. */
const UNWRITTEN_BYTES = 4 * 1024 * 1024

async function spoolAnswer(spool: Spool, send: (destination: Destination) => Promise<ForwardOutcome>): Promise<ForwardOutcome> {
  let writing = Promise.resolve()
  let unwritten = 0
  let failure: unknown
  let resume: (() => void) | undefined
  let giveUp: () => void = () => undefined

  const write = (piece: Buffer): void => {
    unwritten += piece.length
    writing = writing.then(async () => {
      if (failure === undefined) await spool.write(piece)
      unwritten -= piece.length
      if (unwritten <= UNWRITTEN_BYTES / 2) resume?.()
    }).catch((error: unknown) => {
      failure = error
      giveUp()
    })
  }
  const outcome = await send({
    writer: () => toDisk(write, () => unwritten < UNWRITTEN_BYTES),
    onRoom(then) {
      resume = () => {
        resume = undefined
        then()
      }
    },
    onGone: (gone) => void (giveUp = gone),
    cutOff: () => undefined,
  })
  await writing
  if (failure !== undefined) throw failure
  return outcome
}

function toDisk(write: (piece: Buffer) => void, hasRoom: () => boolean): AnswerWriter {
  let status = 0
  let bodyBytes = 0
  return {
    head: (head) => void (status = head.status),
    body(bytes) {
      if (status === 200 && bytes.length > 0) write(Buffer.from(bytes))
      bodyBytes += bytes.length
      return hasRoom()
    },
    get status() {
      return status
    },
    get bodyBytes() {
      return bodyBytes
    },
  }
}
