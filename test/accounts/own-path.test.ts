/** Where somebody is sent after signing in: whatever is asked for, never away from here. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HOME_PATH, ownPath } from '../../controller/accounts/own-path.ts'

test.each(['/dashboard', '/dashboard/user001?tab=keys#k1', '/claim?token=abc.def', '/', '/a/../b'])('a page of ours is gone to: %s', (path) => {
  expect(ownPath(path)).toBe(path === '/a/../b' ? '/b' : path)
})

test.each([
  undefined,
  7,
  '',
  'dashboard',
  '//evil.example',
  '/\\evil.example',
  '/\t/evil.example',
  '/\n/evil.example',
  '\\\\evil.example',
  'https://evil.example/',
  'https:evil.example',
  'javascript:alert(1)',
  ' /dashboard',
  '/a/..//evil.example',
  '/.//evil.example',
  '/%2e%2e//evil.example',
  '/auth/link?token=x',
  '/auth',
  '/api/auth/logout',
  '/x/../auth/sign-in',
  `/${'a'.repeat(600)}`,
  '/ü',
])('anything else leads to the dashboard: %j', (next) => {
  expect(ownPath(next)).toBe(HOME_PATH)
})

test('no text leads a browser to another site', () => {
  const pieces = fc.constantFrom('/', '//', '\\', '/\\', '.', '..', '%2f', '%5c', '%2e', '@', ':', '?', '#', 'evil.example', 'https:', '\t', '\n', '\r', ' ', '\u0000', 'a', '[', ']', '&', ';')
  const text = fc.oneof(fc.array(pieces, { maxLength: 8 }).map((parts) => parts.join('')), fc.array(pieces, { maxLength: 8 }).map((parts) => `/${parts.join('')}`), fc.string({ unit: 'binary', maxLength: 30 }))
  fc.assert(
    fc.property(text, (next) => {
      const answered = ownPath(next)
      const from = 'https://tenantry.example/auth/link'
      expect(new URL(answered, from).origin).toBe('https://tenantry.example')
      // As it goes into a header: one line of plain characters.
      expect(answered).toMatch(/^\/(?!\/)[\x21-\x7e]*$/)
      expect(ownPath(answered)).toBe(answered)
    }),
    { numRuns: 5_000 },
  )
})
