/** The controller's public side: errors are problems, for people pages, and what is internal stays so. */
import type { FastifyPluginAsync } from 'fastify'
import { pino } from 'pino'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createPhextListing } from '../../controller/web/phext-listing.ts'
import { createSite } from '../../controller/web/site.ts'
import { testPages } from '../support/pages.ts'

function site(parts: readonly FastifyPluginAsync[] = []) {
  const logged: object[] = []
  const uses: string[] = []
  const routes: FastifyPluginAsync = async (app) => {
    app.get('/fails', () => {
      throw new Error('password is hunter2')
    })
    app.post('/takes', () => ({ taken: true }))
  }
  const app = createSite({
    routes: [routes, ...parts],
    pages: testPages().pages,
    firstUse: (tenant, at) => void uses.push(`${tenant} ${at}`),
    log: pino({ level: 'error' }, { write: (line: string) => void logged.push(JSON.parse(line) as object) }),
  })
  onTestFinished(() => app.close())
  return { app, logged, uses }
}

describe('errors', () => {
  test.each([
    ['no such address', { url: '/nowhere' }, 404, 'not-found'],
    ['a body that is no JSON', { method: 'POST' as const, url: '/takes', headers: { 'content-type': 'application/json' }, payload: '{' }, 400, undefined],
    ['a body that is too large', { method: 'POST' as const, url: '/takes', headers: { 'content-type': 'application/json' }, payload: `"${'x'.repeat(1_100_000)}"` }, 413, undefined],
    ['a fault of ours', { url: '/fails' }, 500, 'internal-error'],
    ['an address that is not written well', { url: '/%' }, 400, undefined],
  ])('are problems: %s', async (_name, request, status, code) => {
    const answer = await site().app.inject(request)
    expect(answer.statusCode).toBe(status)
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(answer.json()).toMatchObject({ status, ...(code !== undefined && { code }), title: expect.any(String) as string, detail: expect.any(String) as string, type: expect.stringMatching(/^urn:tenantry:problem:|^https:/) as string })
  })

  test('of ours are logged, and say nothing of themselves outside', async () => {
    const { app, logged } = site()
    const { body } = await app.inject({ url: '/fails' })
    expect(body).not.toContain('hunter2')
    expect(logged).toHaveLength(1)
    await app.inject({ url: '/nowhere' })
    expect(logged).toHaveLength(1)
  })
})

describe('what a browser asks for and does not get', () => {
  test.each([
    ['no such address', '/nowhere', 404, 'This page does not exist'],
    ['a fault of ours', '/fails', 500, 'Something broke on our side'],
  ])('is told as a page: %s', async (_name, url, status, words) => {
    const answer = await site().app.inject({ url, headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } })
    expect(answer.statusCode).toBe(status)
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(answer.body).toContain(words)
    expect(answer.body).not.toContain('hunter2')
  })

  test('stays a problem where it asks an API', async () => {
    const answer = await site().app.inject({ url: '/api/nowhere', headers: { accept: 'text/html' } })
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
  })
})

describe('the report of a first use', () => {
  const report = (headers: Record<string, string> = {}, payload: object = { tenant: 'user001', at: '2026-03-01T12:00:00Z' }) => ({ method: 'POST' as const, url: '/internal/first-use', headers, payload })

  test('is taken from the gateway itself', async () => {
    const { app, uses } = site()
    expect((await app.inject(report())).statusCode).toBe(204)
    expect(uses).toEqual(['user001 2026-03-01T12:00:00Z'])
  })

  test.each([
    ['passed on from outside', report({ 'x-tenantry-public': '1' }), 404],
    ['without a tenant', report({}, { at: 'x' }), 400],
    ['with a name without end', report({}, { tenant: 'x'.repeat(101), at: 'x' }), 400],
  ])('is not taken: %s', async (_name, request, status) => {
    const { app, uses } = site()
    const answer = await app.inject(request)
    expect(answer.statusCode).toBe(status)
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(uses).toEqual([])
  })

  test('is not reached by another way of writing its address', async () => {
    const { app, uses } = site()
    for (const url of ['//internal/first-use', '/internal//first-use', '/%69nternal/first-use', '/internal/first-use/', '/INTERNAL/first-use']) {
      await app.inject({ ...report({ 'x-tenantry-public': '1' }), url })
    }
    expect(uses).toEqual([])
  })
})

test('which phexts a container has is told to the gateway and to nobody outside', async () => {
  const asked: string[] = []
  const { app } = site([
    createPhextListing((tenant) => {
      asked.push(tenant)
      return Promise.resolve(tenant === 'sqd001' ? { kind: 'listed', names: ['notes'] } : { kind: 'none' })
    }, pino({ level: 'silent' })),
  ])
  const url = '/internal/phexts/sqd001'
  expect((await app.inject({ url })).json()).toEqual({ phexts: ['notes'] })
  expect((await app.inject({ url: '/internal/phexts/user001' })).statusCode).toBe(404)
  asked.length = 0
  for (const outside of [url, '/%69nternal/phexts/sqd001', '//internal/phexts/sqd001']) expect((await app.inject({ url: outside, headers: { 'x-tenantry-public': '1' } })).statusCode).toBe(404)
  expect(asked).toEqual([])
})
