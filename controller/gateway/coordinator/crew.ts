/**
 * The workers: started together, listened to, asked, and replaced when one ends by itself, while the others go on. Knows how they run,
 * in threads or in this one, and nothing of what they say beyond starting and ending.
 */
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads'
import path from 'node:path'
import { backoffMs } from '../../core/backoff.ts'
import type { Log } from '../log.ts'
import type { FromWorker, ToWorker } from '../messages.ts'
import type { StartWorker, WorkerOptions, WorkerPlan } from '../worker.ts'

/** One worker, wherever it runs. */
export interface Seat {
  post(message: ToWorker): void
  onMessage(handle: (message: FromWorker) => void): void
  /** It ended by itself; with an error where there was one. */
  onEnd(handle: (error: Error | undefined) => void): void
  end(): Promise<void>
}

export interface Member {
  /** Goes up with each worker that is started: never given twice. */
  readonly number: number
  post(message: ToWorker): void
}

export interface CrewOptions {
  /** A function of the worker's number. */
  readonly seat: (number: number) => Seat
  readonly size: number
  readonly onMessage: (member: Member, message: FromWorker) => void
  /** A worker that was a member is gone. */
  readonly onLost: (member: Member) => void
  readonly log: Log
}

export interface Crew {
  /** Starts everybody; `listen` lets them serve. */
  start(): void
  /** Resolves with the port when all of them listen. */
  listen(host: string, port: number, beside: boolean): Promise<number>
  /** Every present member's post was handled; one that does not answer in time is not waited for. */
  allPosted(): Promise<void>
  /** They take no more connections, end what is under way, post what they have left, and end. */
  drain(limitMs: number): Promise<void>
  readonly members: number
  readonly lost: number
}

const POSTS_WITHIN_MS = 1_000
const NO_JITTER = 1
/** A worker that served this long did not fail because of how it was started. */
const SOUND_MS = 60_000

interface Place extends Member {
  readonly seat: Seat
  readonly startedAtMs: number
  listening: boolean
  readonly drained: Promise<void>
  readonly settleDrained: () => void
}

export function createCrew(options: CrewOptions): Crew {
  const { log } = options
  const places = new Set<Place>()
  const posts = createPosts()
  const startup = createStartup(options.size)
  let where: Extract<ToWorker, { kind: 'listen' }> | undefined
  let numbers = 0
  let lost = 0
  let failures = 0
  let stopping = false
  let again: NodeJS.Timeout | undefined

  function seatOne(): void {
    const number = numbers++
    const seat = options.seat(number)
    const { promise: drained, resolve: settleDrained } = Promise.withResolvers<void>()
    const place: Place = { number, seat, post: seat.post, startedAtMs: performance.now(), listening: false, drained, settleDrained }
    places.add(place)
    seat.onMessage((message) => take(place, message))
    seat.onEnd((error) => gone(place, error))
    if (where !== undefined) seat.post(where)
  }

  function take(place: Place, message: FromWorker): void {
    switch (message.kind) {
      case 'listens':
        place.listening = true
        return startup.listens(message.port)
      case 'failed':
        log.error({ worker: place.number, reason: message.message }, 'a worker cannot listen')
        startup.failed(new Error(message.message))
        return void place.seat.end()
      case 'all-posted':
        return posts.answered(message.number, place)
      case 'drained':
        return place.settleDrained()
      default:
        return options.onMessage(place, message)
    }
  }

  function gone(place: Place, error: Error | undefined): void {
    places.delete(place)
    place.settleDrained()
    posts.gone(place)
    if (stopping) return
    lost++
    failures = performance.now() - place.startedAtMs > SOUND_MS ? 1 : failures + 1
    options.onLost(place)
    startup.failed(error ?? new Error('a worker ended before it listened'))
    log.error({ err: error, worker: place.number }, 'a worker ended: another takes its place')
    again = setTimeout(seatOne, failures === 1 ? 0 : backoffMs(failures - 1, NO_JITTER))
  }

  return {
    start() {
      for (let count = 0; count < options.size; count++) seatOne()
    },
    listen(host, port, beside) {
      where = { kind: 'listen', host, port, beside }
      for (const { post } of places) post(where)
      return startup.done
    },
    allPosted: () => posts.ask([...places].filter(({ listening }) => listening)),
    async drain(limitMs) {
      stopping = true
      clearTimeout(again)
      const all = [...places]
      for (const { post } of all) post({ kind: 'drain' })
      let timer: NodeJS.Timeout | undefined
      await Promise.race([Promise.all(all.map(({ drained }) => drained)), new Promise((resolve) => (timer = setTimeout(resolve, limitMs)))])
      clearTimeout(timer)
      await Promise.all(all.map(({ seat }) => seat.end()))
    },
    get members() {
      return [...places].filter(({ listening }) => listening).length
    },
    get lost() {
      return lost
    },
  }
}

interface Startup {
  readonly done: Promise<number>
  listens(port: number): void
  /** Nothing where everybody listened once. */
  failed(error: Error): void
}

function createStartup(size: number): Startup {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  // Whoever does not wait for it learns of a failure from the log.
  promise.catch(() => undefined)
  let left = size
  return {
    done: promise,
    listens(port) {
      if (--left === 0) resolve(port)
    },
    failed: reject,
  }
}

interface Posts {
  ask(members: readonly Member[]): Promise<void>
  answered(number: number, member: Member): void
  gone(member: Member): void
}

/** One round at a time: who asks during a round waits for the next, since a worker may have posted already. */
function createPosts(): Posts {
  let round: { readonly number: number; readonly waitsFor: Set<Member>; readonly done: () => void } | undefined
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined
  let count = 0

  function gone(member: Member): void {
    if (round?.waitsFor.delete(member) === true && round.waitsFor.size === 0) round.done()
  }

  async function runRound(members: readonly Member[]): Promise<void> {
    if (members.length === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const number = ++count
    round = { number, waitsFor: new Set(members), done: resolve }
    for (const { post } of members) post({ kind: 'post', number })
    const timer = setTimeout(resolve, POSTS_WITHIN_MS)
    await promise
    clearTimeout(timer)
    round = undefined
  }

  function run(members: readonly Member[]): Promise<void> {
    return (running = runRound(members).finally(() => (running = undefined)))
  }

  return {
    ask(members) {
      if (running === undefined) return run(members)
      return (next ??= running.then(() => {
        next = undefined
        return run(members)
      }))
    },
    answered(number, member) {
      if (round?.number === number) gone(member)
    },
    gone,
  }
}

const THREAD = path.join(import.meta.dirname, '../thread.ts')

/**
 * For what lives shorter than a request. Node's own 48 MiB makes single collections longer under load, in which nobody is answered; 6 cost a
 * quarter to a third of the reads from memory (docs/decisions/0018).
 */
const YOUNG_MB = 24

/** A thread of its own, with nothing of this thread but the shared memory. */
export function seatInThread(plan: WorkerPlan): Seat {
  const worker = new Worker(THREAD, { workerData: plan, name: 'gateway worker', resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB } })
  let failure: Error | undefined
  worker.on('error', (error: Error) => (failure = error))
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (handle) => void worker.on('message', handle),
    onEnd: (handle) => void worker.on('exit', () => handle(failure)),
    end: () => worker.terminate().then(() => undefined),
  }
}

/** In this thread, over the same messages: for tests. */
export function seatHere(startWorker: StartWorker, options: Omit<WorkerOptions, 'port'>): Seat {
  const { port1, port2 } = new MessageChannel()
  startWorker({ ...options, port: port2 })
  return seatAt(port1)
}

function seatAt(port: MessagePort): Seat {
  return {
    post: (message) => port.postMessage(message),
    onMessage: (handle) => void port.on('message', handle),
    onEnd: () => undefined,
    end: () => Promise.resolve(port.close()),
  }
}
