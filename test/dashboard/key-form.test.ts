/** The form for a new key: what it says, and what is wrong with it, field by field. */
import { expect, test } from 'vitest'
import { readKeyForm, type KeyForm } from '../../controller/dashboard/key-form.ts'
import { createShownOnce } from '../../controller/dashboard/shown-once.ts'

const NOW = new Date('2026-03-01T12:00:00Z')

test.each<[KeyForm, object]>([
  [{}, { access: {} }],
  [{ name: ' reader ', readOnly: 'on', phexts: 'notes, plans notes', expires: '2026-03-31' }, { name: 'reader', access: { readOnly: true, phexts: ['notes', 'plans'] }, expiresAt: '2026-03-31T23:59:59Z' }],
  [{ name: '', phexts: ' , ', expires: ' ' }, { access: {} }],
  [{ expires: '2026-03-01' }, { access: {}, expiresAt: '2026-03-01T23:59:59Z' }],
])('%j is a wish', (form, wish) => expect(readKeyForm(form, NOW)).toEqual({ kind: 'ok', wish }))

test.each<[KeyForm, string]>([
  [{ expires: 'tomorrow' }, 'expires'],
  [{ expires: '2026-02-31' }, 'expires'],
  [{ expires: '2026-02-28' }, 'expires'],
  [{ name: 'x'.repeat(61) }, 'name'],
])('%j is refused at its field', (form, field) => {
  const read = readKeyForm(form, NOW)
  expect(read.kind === 'bad' && read.problems.map((problem) => problem.field)).toEqual([field])
})

test('a new key is shown once, to who made it, for ten minutes', () => {
  let now = NOW
  const shown = createShownOnce(() => now)
  shown.allow('ada', 'user001', 'k2')
  expect([shown.take('eve', 'user001', 'k2'), shown.take('ada', 'user002', 'k2'), shown.take('ada', 'user001', 'k2'), shown.take('ada', 'user001', 'k2')]).toEqual([false, false, true, false])
  shown.allow('ada', 'user001', 'k3')
  now = new Date(NOW.getTime() + 10 * 60_000 + 1)
  expect(shown.take('ada', 'user001', 'k3')).toBe(false)
})
