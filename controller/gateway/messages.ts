/**
 * What a worker and the coordinator say to each other over a MessagePort, in one thread or between two: plain data that can be copied.
 * A worker decides what it can by itself and from shared memory; it asks for what only the coordinator knows.
 */
import type { MessagePort } from 'node:worker_threads'
import type { Counts, KeySpent, RefusalRecord } from '../store/usage.ts'
import type { MetricCounts, WorkerGauges } from './metrics.ts'
import type { KeyUse } from './tallies.ts'
import type { StorageAsked, StorageAnswer, StoragePlace } from './storage-messages.ts'
import type { Settlement } from './tenant-storage.ts'

/** Since the post before it, and what holds now. */
export interface Post {
  readonly uses: readonly KeyUse[]
  readonly spent: readonly KeySpent[]
  readonly refusals: readonly RefusalRecord[]
  readonly metrics: MetricCounts
  readonly gauges: WorkerGauges
  readonly routes: RoutesRead
}

export interface RoutesRead {
  readonly generation: string | undefined
  readonly applied: number
  readonly corruptLines: number
  readonly tenants: number
  readonly keys: number
}

/** Every question by its name: what is asked, and what the answer holds. */
export interface Questions {
  /** Of all workers, up to this instant. */
  readonly usage: { readonly asked: UsageAsked; readonly answer: UsageFigures }
  /** Whether an export or import of the tenant may begin: one at a time, whichever worker it came to. */
  readonly transfer: { readonly asked: { readonly tenant: string }; readonly answer: boolean }
  readonly reserve: { readonly asked: StorageAsked; readonly answer: StorageAnswer }
}

export interface UsageAsked {
  readonly tenant: string
  /** First days of what is told by key, and by day. */
  readonly keysFrom: string
  readonly historyFrom: string
  readonly place: StoragePlace
}

export interface UsageFigures {
  readonly keys: readonly (Counts & { readonly key: string; readonly lastUsedAt: string | null })[]
  /** Newest first. */
  readonly history: readonly (Counts & { readonly day: string; readonly storageBytes: number | null })[]
  readonly months: readonly (Counts & { readonly month: string; readonly storageBytes: number | null })[]
  /** Undefined where only the instance knows. */
  readonly storedBytes: number | undefined
}

export type QuestionName = keyof Questions
export type Asked<Name extends QuestionName> = Questions[Name]['asked']
export type Answer<Name extends QuestionName> = Questions[Name]['answer']

export type FromWorker =
  | { readonly kind: 'listens'; readonly port: number }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'posted'; readonly post: Post }
  /** In answer to `post` of the same number: everything up to then was posted. */
  | { readonly kind: 'all-posted'; readonly number: number }
  | { readonly kind: 'logged'; readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly fields: unknown; readonly message: string | undefined }
  | { readonly kind: 'first-use'; readonly tenant: string }
  | { readonly kind: 'settled'; readonly reservation: number; readonly settlement: Settlement; readonly addedBytes: number }
  | { readonly kind: 'transfer-ended'; readonly tenant: string }
  | { readonly kind: 'exported'; readonly place: StoragePlace; readonly phext: string }
  | { readonly kind: 'asked'; readonly number: number; readonly name: QuestionName; readonly asked: Asked<QuestionName> }
  | { readonly kind: 'drained' }

export type ToWorker =
  | { readonly kind: 'listen'; readonly host: string; readonly port: number; readonly beside: boolean }
  | { readonly kind: 'post'; readonly number: number }
  | { readonly kind: 'answered'; readonly number: number; readonly answer: Answer<QuestionName> }
  | { readonly kind: 'not-answered'; readonly number: number; readonly message: string }
  | { readonly kind: 'drain' }

/** A worker's end of the line, with answers matched to questions. */
export interface Line {
  send(message: FromWorker): void
  ask<Name extends QuestionName>(name: Name, asked: Asked<Name>): Promise<Answer<Name>>
  /** Everything but answers. */
  onMessage(handle: (message: Exclude<ToWorker, { kind: 'answered' | 'not-answered' }>) => void): void
  close(): void
}

type Port = Pick<MessagePort, 'postMessage' | 'on' | 'close'>

export function createLine(port: Port): Line {
  const open = new Map<number, { resolve: (answer: never) => void; reject: (error: Error) => void }>()
  let count = 0
  let handle: Parameters<Line['onMessage']>[0] = () => undefined

  function take(number: number): { resolve: (answer: never) => void; reject: (error: Error) => void } | undefined {
    const question = open.get(number)
    open.delete(number)
    return question
  }

  port.on('message', (message: ToWorker) => {
    if (message.kind === 'answered') take(message.number)?.resolve(message.answer as never)
    else if (message.kind === 'not-answered') take(message.number)?.reject(new Error(message.message))
    else handle(message)
  })

  return {
    send: (message) => port.postMessage(message),
    ask: (name, asked) =>
      new Promise((resolve, reject) => {
        const number = ++count
        open.set(number, { resolve, reject })
        port.postMessage({ kind: 'asked', number, name, asked } satisfies FromWorker)
      }),
    onMessage: (next) => void (handle = next),
    close() {
      port.close()
      for (const { reject } of open.values()) reject(new Error('the gateway stops'))
      open.clear()
    },
  }
}
