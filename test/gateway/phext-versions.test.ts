import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createPhextVersions, phextVersionsBuffer, type WriteTicket } from '../../controller/gateway/shared/phext-versions.ts'

const setUp = (lanes = 1) => {
  const buffer = phextVersionsBuffer(lanes)
  return Array.from({ length: lanes }, (_, lane) => createPhextVersions(buffer, lane))
}

describe('versions of phexts', () => {
  it('are quiet only while no write is under way, and never the same after a write', () => {
    const [versions] = setUp()
    const before = versions!.read('user001', 'notes')
    expect(before.quiet).toBe(true)
    const ticket = versions!.writeBegins('user001', 'notes')
    const during = versions!.read('user001', 'notes')
    expect([during.quiet, during.version === before.version]).toEqual([false, false])
    expect(versions!.read('user001', 'other').quiet).toBe(true)
    expect(versions!.read('user002', 'notes')).toEqual(before)
    ticket.ends()
    ticket.ends()
    const after = versions!.read('user001', 'notes')
    expect([after.quiet, after.version === during.version]).toEqual([true, false])
  })

  it('count a call that may change anything against every phext of its tenant alone', () => {
    const [versions] = setUp()
    const before = versions!.read('user001', 'notes')
    const ticket = versions!.writeBegins('user001', undefined)
    expect(versions!.read('user001', 'notes').quiet).toBe(false)
    expect(versions!.read('user002', 'notes')).toEqual(before)
    ticket.ends()
    expect(versions!.read('user001', 'notes').version).not.toBe(before.version)
  })

  it('stay unquiet for a phext that SQ holds otherwise than its file', () => {
    const [versions] = setUp()
    versions!.distrust('user001', 'notes')
    versions!.writeBegins('user001', 'notes').ends()
    expect(versions!.read('user001', 'notes').quiet).toBe(false)
    expect(versions!.read('user001', 'others').quiet).toBe(true)
  })

  it('forget the writes of a thread that is gone, and those alone', () => {
    const [one, other] = setUp(2)
    one!.writeBegins('user001', 'notes')
    const alive = other!.writeBegins('user001', 'more')
    one!.endLane(0)
    expect(one!.read('user001', 'notes').quiet).toBe(true)
    expect(one!.read('user001', 'more').quiet).toBe(false)
    alive.ends()
    expect(one!.read('user001', 'more').quiet).toBe(true)
    expect(() => createPhextVersions(phextVersionsBuffer(2), 2)).toThrow(/lane/)
  })

  it('never let a read be kept beside a write, whatever threads and phexts take part', () => {
    const step = fc.record({ lane: fc.nat(3), phext: fc.nat(2), act: fc.constantFrom('begin', 'end', 'read', 'keep') })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const lanes = setUp(4)
        const open: { phext: number; ticket: WriteTicket }[] = []
        const content = [0, 0, 0]
        const reads: { phext: number; version: number; quiet: boolean; content: number }[] = []
        for (const { lane, phext, act } of steps) {
          const versions = lanes[lane]!
          // A write takes effect at an instant that nobody knows: here at both ends of it.
          if (act === 'begin') {
            open.push({ phext, ticket: versions.writeBegins('t', `p${phext}`) })
            content[phext]!++
          } else if (act === 'end' && open.length > 0) {
            const { phext: written, ticket } = open.shift()!
            content[written]!++
            ticket.ends()
          } else if (act === 'read') reads.push({ phext, ...versions.read('t', `p${phext}`), content: content[phext]! })
          for (const read of reads) {
            if (read.quiet && versions.read('t', `p${read.phext}`).version === read.version) expect(content[read.phext]).toBe(read.content)
          }
        }
      }),
    )
  })

  it('are exact across threads', async () => {
    const buffer = phextVersionsBuffer(3)
    const code = `
      const { workerData } = require('node:worker_threads')
      import(workerData.module).then(({ createPhextVersions }) => {
        const versions = createPhextVersions(workerData.buffer, workerData.lane)
        for (let at = 0; at < 20_000; at++) versions.writeBegins('user001', 'notes').ends()
      })`
    const module = new URL('../../controller/gateway/shared/phext-versions.ts', import.meta.url).href
    await Promise.all([1, 2].map((lane) => new Promise((resolve, reject) => new Worker(code, { eval: true, workerData: { buffer, lane, module } }).on('exit', resolve).on('error', reject))))
    expect(createPhextVersions(buffer).read('user001', 'notes')).toEqual({ version: 80_000, quiet: true })
  })
})
