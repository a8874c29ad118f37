/** The stream of claimed places: what stands at once, then every change to everybody, and no more readers than it can bear. */
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { createFoundingStream } from '../../controller/web/founding-stream.ts'
import { createProblemHandler } from '../../controller/web/http-problem.ts'
import { waitFor } from '../support/wait.ts'

async function stream(most?: number) {
  const numbers = { claimed: 3, total: 500 }
  let changed = (): void => undefined
  const app = fastify({ forceCloseConnections: true })
  app.setErrorHandler(createProblemHandler({ error: () => undefined }))
  void app.register(createFoundingStream({ progress: () => ({ ...numbers }), onChange: (look) => ((changed = look), () => undefined), ...(most !== undefined && { most }) }))
  await app.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(() => app.close())
  const { port } = app.server.address() as AddressInfo
  const open = async (from = '192.0.2.1') => {
    const asked = request({ host: '127.0.0.1', port, path: '/api/founding-progress/stream', headers: { 'x-forwarded-for': from }, agent: false }).end()
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    const page = { status: answer.statusCode, type: answer.headers['content-type'], heard: '', close: () => asked.destroy() }
    answer.on('data', (part: Buffer) => (page.heard += part.toString())).on('error', () => undefined)
    return page
  }
  const claim = (claimed: number): void => {
    numbers.claimed = claimed
    changed()
  }
  return { open, claim, app }
}

test('a page hears what stands at once, and every change', async () => {
  const { open, claim } = await stream()
  const page = await open()
  expect([page.status, page.type]).toEqual([200, 'text/event-stream; charset=utf-8'])
  await waitFor(() => page.heard.includes('data: {"claimed":3,"total":500}\n\n'), 'the first number')
  claim(4)
  await waitFor(() => page.heard.includes('data: {"claimed":4,"total":500}\n\n'), 'the change')
})

test('changes that come close together are one event, which has the last number', async () => {
  const { open, claim } = await stream()
  const page = await open()
  for (let claimed = 4; claimed <= 100; claimed++) claim(claimed)
  await waitFor(() => page.heard.includes('"claimed":100'), 'the last number')
  expect(page.heard.match(/data:/g)!.length).toBeLessThanOrEqual(2)
})

test('a page that opens between a change and its event takes nothing from those that were there', async () => {
  const { open, claim } = await stream()
  const first = await open()
  await waitFor(() => first.heard.includes('"claimed":3'), 'the first number')
  claim(4)
  const second = await open()
  await waitFor(() => first.heard.includes('"claimed":4') && second.heard.includes('"claimed":4'), 'both know')
})

test('one network holds no more than its part, and places come back', async () => {
  const { open } = await stream(8)
  const pages = [await open(), await open()]
  expect((await open()).status).toBe(503)
  expect((await open('198.51.100.7')).status).toBe(200)
  pages[0]!.close()
  await waitFor(async () => (await open()).status === 200, 'a place came back')
})

test('nor do all networks of one IPv6 site', async () => {
  const { open } = await stream(8)
  const statuses = await Promise.all([1, 2, 3].map(async (n) => (await open(`2001:db8:1:${n}::1`)).status))
  expect(statuses.sort()).toEqual([200, 200, 503])
  expect((await open('2001:db8:2::1')).status).toBe(200)
})

test('all end when the site closes', async () => {
  const { open, app } = await stream()
  const page = await open()
  expect(page.status).toBe(200)
  await app.close()
})
