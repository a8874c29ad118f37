/**
 * No owner reaches another's tenant: every route of the dashboard, by every method, with whatever a request can carry. What is somebody
 * else's is answered, byte for byte, as what exists nowhere, and nothing of it changes.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openDashboard } from './dashboard-place.ts'

const ADA = 'user001@example.com'
const EVE = 'user002@example.com'
const NOWHERE = 'user777'

const fill = (url: string, tenant: string, rest: string): string => url.replace(':tenant', tenant).replace(/:\w+/g, rest)

describe('owners apart', () => {
  it('gives nobody another\'s page, form, file or refusal, and no sign that there is one', async () => {
    const place = await openDashboard()
    const routes = place.routes.filter(({ url, method }) => url.includes(':tenant') && method !== 'HEAD')
    // All that the dashboard has: a route that is added is tried as well.
    expect(routes.length).toBeGreaterThanOrEqual(20)
    const before = [place.file(1), place.file(2), place.message()]
    const who = fc.constantFrom(EVE, EVE, EVE, `unproved:${ADA}`, 'USER002@example.com', 'user001@example.com.evil.example', ' user001@example.com', '')
    const fields = fc.record({ name: fc.constantFrom('x', 'user001'), key: fc.constantFrom('k1', 'k2'), confirm: fc.constantFrom('user001', NOWHERE), listedAs: fc.constant('Eve'), csrf: fc.constantFrom('the-token', 'the-token', 'wrong') }, { requiredKeys: ['csrf'] })
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...routes), who, fc.constantFrom('k1', 'gw-1', 'openclaw', 'mcp', '..'), fields, fc.constantFrom('', '?new=k1', '?tenant=user001&said=closed'), async ({ method, url }, email, rest, form, query) => {
        const send = (tenant: string) =>
          place.app.inject({ method: method as 'GET', url: fill(url, tenant, rest) + query, headers: { ...(email !== '' && { 'x-test-email': email }), accept: 'text/html', ...(method === 'POST' && { 'content-type': 'application/x-www-form-urlencoded' }) }, ...(method === 'POST' && { payload: new URLSearchParams(form).toString() }) })
        const [theirs, nowhere] = [await send('user001'), await send(NOWHERE)]
        const said = (answer: typeof theirs): string => JSON.stringify([answer.statusCode, answer.headers['location'], answer.headers['content-type'], answer.body]).replaceAll(NOWHERE, 'ID').replaceAll('user001', 'ID')
        expect(said(theirs)).toBe(said(nowhere))
        expect([303, 403, 404]).toContain(theirs.statusCode)
        if (email !== '' && !(method === 'POST' && form.csrf === 'wrong')) expect(theirs.statusCode).toBe(404)
      }),
      { numRuns: 400 },
    )
    expect([place.file(1), place.file(2), place.message()]).toEqual(before)
    expect(place.asked).toEqual([])
  })

  it('shows an owner\'s own on the same routes', async () => {
    const place = await openDashboard()
    for (const { method, url } of place.routes) {
      if (method !== 'GET' || !url.includes(':tenant')) continue
      const answer = await place.get(ADA.toUpperCase(), fill(url, 'user001', 'gw-1'))
      expect([url, answer.statusCode, answer.headers['cache-control']]).toEqual([url, 200, 'no-store'])
      expect(answer.body).not.toContain('user002')
    }
  })

  it('takes a refusal of another tenant for one that never was, though the reader has tenants too', async () => {
    const place = await openDashboard()
    const [theirs, nowhere] = [await place.get(EVE, '/dashboard/user002/refusals/gw-1'), await place.get(EVE, '/dashboard/user002/refusals/gw-9')]
    expect(theirs.statusCode).toBe(404)
    expect(theirs.body).toBe(nowhere.body)
  })
})
