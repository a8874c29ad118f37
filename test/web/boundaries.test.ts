import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterEach, describe, expect, it } from 'vitest'
import type { Loop } from '../../controller/reconcile/loop.ts'
import { createAdmin } from '../../controller/web/admin.ts'
import { createSite } from '../../controller/web/site.ts'
import type { StatusReader } from '../../controller/web/status-reader.ts'
import { testPages } from '../support/pages.ts'

const TOKEN = 'a-token-of-the-test'
const log = pino({ level: 'silent' })
const open: FastifyInstance[] = []

afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()))
})

async function listen(app: FastifyInstance): Promise<number> {
  open.push(app)
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}

function ask(port: number, method: string, path: string, headers: Record<string, string> = {}, body = ''): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, method, path, headers: { ...headers, 'content-length': Buffer.byteLength(body) }, agent: false }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode ?? 0))
    })
    asked.on('error', reject).end(body)
  })
}

describe('the operations port', () => {
  let pokes = 0
  const loop = { poke: () => void pokes++, state: { ready: true } } as unknown as Loop
  const status = { list: () => [] } as unknown as StatusReader
  const admin = (): Promise<number> => listen(createAdmin({ token: TOKEN, registry: new Registry(), loop, status, log }))

  it.each(['127.0.0.1:9090', 'localhost:9090', 'LOCALHOST', '[::1]:9090', '10.0.0.7'])('answers to %s', async (host) => {
    expect(await ask(await admin(), 'GET', '/metrics', { host })).toBe(200)
  })

  it.each(['evil.example', 'evil.example:9090', '127.0.0.1.evil.example', 'localhost.evil.example', 'x'])('answers nothing to %s, which a page may have made point here', async (host) => {
    const port = await admin()
    for (const path of ['/metrics', '/healthz', '/readyz', '/api/tenants', '/nowhere']) {
      expect(await ask(port, 'GET', path, { host, authorization: `Bearer ${TOKEN}` })).toBe(403)
    }
  })

  it('is not poked by a page of another site', async () => {
    const port = await admin()
    pokes = 0
    expect(await ask(port, 'POST', '/poke', { host: '127.0.0.1', 'sec-fetch-site': 'cross-site' })).toBe(403)
    expect(await ask(port, 'POST', '/poke', { host: '127.0.0.1' })).toBe(202)
    expect(pokes).toBe(1)
  })

  it.each(['', 'Bearer', 'Bearer ', `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(1)}`, 'Basic x'])('shows no tenant to "%s"', async (authorization) => {
    expect(await ask(await admin(), 'GET', '/api/tenants', { authorization })).toBe(401)
  })
})

describe('what is internal', () => {
  it('is not reached by a request from outside, however it writes the address', async () => {
    const reported: string[] = []
    const site = createSite({ routes: [], pages: testPages().pages, firstUse: (tenant) => void reported.push(tenant), log })
    const port = await listen(site)
    const body = JSON.stringify({ tenant: 'user001', at: '2026-01-01T00:00:00Z' })
    const headers = { 'content-type': 'application/json' }
    for (const path of ['/internal/first-use', '/%69nternal/first-use', '/internal/first%2duse', '/%69%6eternal/%66irst-use?x']) {
      expect(await ask(port, 'POST', path, { ...headers, 'x-tenantry-public': '1' }, body)).toBe(404)
    }
    expect(reported).toEqual([])
    expect(await ask(port, 'POST', '/internal/first-use', headers, body)).toBe(204)
    expect(reported).toEqual(['user001'])
  })
})
