/** The public site: how long the front page takes, and how soon a thousand open pages know the last number while a hundred purchases land. */
import { once } from 'node:events'
import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http'
import { onGround, pause, type Ground } from './ground.ts'
import { anchor, atMost, median, quantile, rounded, under, type Bench, type BenchResult } from './result.ts'

const PAGE_BAR_MS = 10
const STREAM_BAR_S = 2
const POLL_MS = 10
const WITHIN_MS = 60_000

export const bench: Bench = async ({ short }) =>
  onGround({ tenants: 5 }, async (ground) => {
    const { port } = await ground.program.start()
    return [...(await frontPage(port, short ? 50 : 1_000)), await openPages(ground, port, short ? 50 : 1_000, short ? 10 : 100)]
  })

async function frontPage(port: number, requests: number): Promise<BenchResult[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const times: number[] = []
  let bytes = 0
  for (let n = 0; n < requests + 20; n++) {
    const askedAt = performance.now()
    bytes = await bodySize(request({ host: '127.0.0.1', port, path: '/', agent }).end())
    // The first ones find nothing compiled.
    if (n >= 20) times.push(performance.now() - askedAt)
  }
  agent.destroy()
  const detail = `${requests} requests one after another, through the gateway; ${rounded(bytes / 1024)} KiB of HTML`
  return [under('front page, p50', median(times), 'ms', PAGE_BAR_MS, detail), anchor('front page, p99', quantile(times, 0.99), 'ms', detail)]
}

async function bodySize(asked: ClientRequest): Promise<number> {
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  let bytes = 0
  for await (const part of answer) bytes += (part as Buffer).length
  return bytes
}

/** From the last purchase's being counted to the last page that shows it. */
async function openPages({ shop }: Ground, port: number, pages: number, purchases: number): Promise<BenchResult> {
  const streams = await Promise.all(Array.from({ length: pages }, () => follow(port)))
  const last = streams[0]!.claimed() + purchases
  const sessions = await Promise.all(Array.from({ length: purchases }, (_, n) => shop.order(`follower${n}`)))
  const paidAt = performance.now()
  for (const session of sessions) shop.pay(session)
  const landedAt = await reached(async () => (await claimedNow(port)) >= last)
  await reached(async () => streams.every(({ claimed }) => claimed() >= last))
  const after = streams.map(({ at }) => at())
  const events = streams.reduce((sum, { events: count }) => sum + count(), 0)
  for (const { close } of streams) close()
  const detail = `${pages} pages open, ${purchases} purchases paid at once: counted ${rounded((landedAt - paidAt) / 1000)} s after paying, shown by the first page after ${rounded((Math.min(...after) - paidAt) / 1000)} s, by the last after ${rounded((Math.max(...after) - paidAt) / 1000)} s; ${rounded(events / pages)} events a page`
  return atMost('last number on every open page', Math.max(0, Math.max(...after) - landedAt) / 1000, 's', STREAM_BAR_S, detail)
}

/** When it was first so. */
async function reached(condition: () => Promise<boolean>): Promise<number> {
  for (const deadline = performance.now() + WITHIN_MS; performance.now() < deadline; await pause(POLL_MS)) if (await condition()) return performance.now()
  throw new Error(`the last number did not come within ${WITHIN_MS / 1000} s`)
}

async function claimedNow(port: number): Promise<number> {
  return ((await (await fetch(`http://127.0.0.1:${port}/api/founding-progress`)).json()) as { claimed: number }).claimed
}

interface Stream {
  readonly claimed: () => number
  /** When the last number came. */
  readonly at: () => number
  readonly events: () => number
  readonly close: () => void
}

async function follow(port: number): Promise<Stream> {
  const asked = request({ host: '127.0.0.1', port, path: '/api/founding-progress/stream', agent: false }).end()
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  if (answer.statusCode !== 200) throw new Error(`the stream answers ${answer.statusCode}`)
  const state = { claimed: -1, at: 0, events: 0 }
  answer.setEncoding('utf8').on('error', () => undefined)
  await new Promise<void>((resolve) =>
    answer.on('data', (text: string) => {
      const last = [...text.matchAll(/"claimed":(\d+)/g)].at(-1)
      if (last === null || last === undefined) return
      Object.assign(state, { claimed: Number(last[1]), at: performance.now(), events: state.events + 1 })
      resolve()
    }),
  )
  return { claimed: () => state.claimed, at: () => state.at, events: () => state.events, close: () => asked.destroy() }
}
