/**
 * The engine's event stream as hints that something happened to a container. A hint may be late, doubled or missing: a periodic
 * list is the truth. A stream is reopened when it ends, fails, or simply grows old, since it may stall without a word.
 */
import { StringDecoder } from 'node:string_decoder'
import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '../../core/backoff.ts'
import type { Engine } from './engine.ts'
import { containerName, LABEL } from './names.ts'

const REWIND_SECONDS = 5
const STREAM_LIFE_MS = 10 * 60_000
const LONGEST_PAUSE_MS = 10_000

/** Health checks run commands all the time; of those only the outcome counts. */
const EVENTS = ['start', 'die', 'stop', 'kill', 'oom', 'pause', 'unpause', 'rename', 'update', 'destroy', 'health_status', 'connect', 'disconnect']

interface EngineEvent {
  readonly Type?: string
  readonly time?: number
  readonly Actor?: { readonly Attributes?: Readonly<Record<string, string>> }
}

export function watchEngine(engine: Engine, hint: (name: string) => void): () => void {
  const stop = new AbortController()
  void follow(engine, hint, stop.signal)
  return () => stop.abort()
}

async function follow(engine: Engine, hint: (name: string) => void, stopped: AbortSignal): Promise<void> {
  let since: number | undefined
  let failures = 0
  let lost = false
  const onOpen = (): void => {
    if (lost) engine.log.info({}, 'the event stream of the container engine is back')
    lost = false
  }
  while (!stopped.aborted) {
    const old = AbortSignal.timeout(STREAM_LIFE_MS)
    const from = since
    since ??= seconds(engine.now())
    try {
      for await (const event of events(engine, from, onOpen, AbortSignal.any([stopped, old]))) {
        failures = 0
        since = event.time ?? since
        const name = nameOf(event, engine.installation)
        if (name !== undefined) hint(name)
      }
    } catch (error) {
      if (stopped.aborted) return
      // Said once, not at every attempt: an engine may be missing for ever.
      if (!old.aborted && !lost) engine.log.warn({ err: error }, 'there is no event stream from the container engine; it is asked again until there is')
      lost ||= !old.aborted
    }
    since -= REWIND_SECONDS
    if (old.aborted) continue
    failures++
    await delay(Math.min(backoffMs(failures, 0), LONGEST_PAUSE_MS), undefined, { signal: stopped, ref: false }).catch(() => undefined)
  }
}

const seconds = (time: Date): number => Math.floor(time.getTime() / 1000)

async function* events({ docker }: Engine, since: number | undefined, onOpen: () => void, signal: AbortSignal): AsyncGenerator<EngineEvent> {
  const filters = JSON.stringify({ type: ['container', 'network'], event: EVENTS })
  const stream = await docker.getEvents({ filters, ...(since !== undefined && { since }), abortSignal: signal })
  onOpen()
  yield* parseEvents(stream as AsyncIterable<Buffer>)
}

/** One document a line; a chunk may hold several, or a piece of one. */
export async function* parseEvents(stream: AsyncIterable<Buffer>): AsyncGenerator<EngineEvent> {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  for await (const chunk of stream) {
    const lines = (rest + decoder.write(chunk)).split('\n')
    rest = lines.pop()!
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as EngineEvent
  }
}

/** Events of containers carry our labels; those of networks only the network's name, which is that of its container. */
function nameOf({ Type: type, Actor: actor }: EngineEvent, installation: string): string | undefined {
  const attributes = actor?.Attributes ?? {}
  if (type === 'container') return attributes[LABEL.installation] === installation ? attributes[LABEL.name] : undefined
  const prefix = containerName(installation, '')
  return attributes['name']?.startsWith(prefix) ? attributes['name'].slice(prefix.length) : undefined
}
