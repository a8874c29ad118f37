/** What lies in the container of an SQ of its own, told by its container; the real engine is met in test/e2e/docker-tenants. */
import { describe, expect, test } from 'vitest'
import { ReconcileError } from '../../controller/core/outcome.ts'
import type { TenantId } from '../../controller/core/specs.ts'
import { createDedicatedPhexts } from '../../controller/reconcile/dedicated-phexts.ts'

const OWN = 'sqd001' as TenantId
const SHARED = 'user001' as TenantId

function setUp(exec: () => Promise<{ exitCode: number; output: string }>) {
  const asked: string[] = []
  const world = { desired: (id: TenantId) => (id === OWN ? { place: { kind: 'container' } } : id === SHARED ? { place: { kind: 'shard' } } : undefined) as never }
  const list = createDedicatedPhexts(world, {
    exec: (name, command) => {
      asked.push(`${name}: ${command.join(' ')}`)
      return exec()
    },
  })
  return { list, asked }
}

describe('the phexts of an SQ of its own', () => {
  test('are listed in order, whatever characters their names have', async () => {
    const { list, asked } = setUp(() => Promise.resolve({ exitCode: 0, output: '/data/notes.phext\0/data/a b\nc.phext\0/data/.phext\0/data/x.phext.phext\0' }))
    expect(await list(OWN)).toEqual({ kind: 'listed', names: ['', 'a b\nc', 'notes', 'x.phext'] })
    expect(asked).toEqual(['sqd001: find /data -maxdepth 1 -type f -name *.phext -print0'])
  })

  test('are none of a shared SQ and of nobody, and no engine is asked', async () => {
    const { list, asked } = setUp(() => Promise.reject(new Error('asked')))
    expect([await list(SHARED), await list('nobody' as TenantId)]).toEqual([{ kind: 'none' }, { kind: 'none' }])
    expect(asked).toEqual([])
  })

  test.each([
    ['the image has no such program', () => Promise.resolve({ exitCode: 127, output: 'find: not found' }), /127/],
    ['the list is cut off', () => Promise.resolve({ exitCode: 0, output: '/data/x.phext\0'.repeat(320_000) }), /too many/],
    ['the engine is away', () => Promise.reject(new ReconcileError({ kind: 'transient' }, 'EngineMissing', 'no engine')), /no engine/],
  ])('are not told in part: %s', async (_why, exec, message) => {
    expect(await setUp(exec).list(OWN)).toEqual({ kind: 'failed', message: expect.stringMatching(message) as string })
  })
})
