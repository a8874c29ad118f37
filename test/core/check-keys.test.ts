import { describe, expect, it } from 'vitest'
import { keyFindings } from '../../controller/core/check-keys.ts'
import type { KeySpec, TenantId } from '../../controller/core/specs.ts'
import { digest, containerProduct, keySpec, NOW, sharedProduct, tenant } from '../support/specs.ts'

const SQ = sharedProduct({ api: { path: '/api/v2/' } })

function findings(keys: readonly KeySpec[], { product = SQ, holder }: { product?: typeof SQ; holder?: string } = {}): string[] {
  return keyFindings(tenant('user001', { keys }), 'f', { product, heldBy: () => holder as TenantId | undefined }).map(({ field, message }) => `${field}: ${message}`)
}

const child = (id: string, parent: string, changes: Parameters<typeof keySpec>[1] = {}): KeySpec => keySpec(id, { parent, ...changes })
const imported = (text: string, id = 'k1'): KeySpec => ({ id, digest: digest(text), createdAt: NOW })

describe('a key', () => {
  it('comes from a nonce or a digest, and from one of them', () => {
    const { nonce, ...without } = keySpec()
    expect(findings([without as KeySpec])).toEqual(['spec.keys[0]: the key has neither a nonce nor a digest, so it has no text'])
    expect(findings([{ ...without, nonce, digest: digest('a') } as unknown as KeySpec])).toEqual(['spec.keys[0].digest: the key has a nonce as well, and its text comes from one of the two'])
    expect(findings([{ ...imported('a'), master: 2 } as unknown as KeySpec])).toEqual(['spec.keys[0].master: a key that is known by its digest is derived from no master secret'])
    expect(findings([imported('a')])).toEqual([])
  })

  it('that was handed out before opens one tenant', () => {
    expect(findings([imported('a')], { holder: 'user002' })).toEqual(['spec.keys[0].digest: the same key belongs to user002 already'])
    expect(findings([imported('a'), imported('a', 'k2')])).toEqual(['spec.keys[1].digest: the same key belongs to another key of this tenant already'])
  })

  it('is narrowed to phexts only where there are phexts', () => {
    const keys = [keySpec('k1', { access: { phexts: ['notes'] } })]
    expect(findings(keys)).toEqual([])
    expect(findings(keys, { product: containerProduct({ api: { path: '/api/v1/' } }) })).toEqual(['spec.keys[0].access.phexts: dedicated stores no phexts'])
  })
})

describe('a key made from another', () => {
  it('has one that is there, and never comes from itself', () => {
    expect(findings([keySpec('k1'), child('k2', 'k9')])).toEqual(['spec.keys[1].parent: this tenant has no key `k9`'])
    expect(findings([child('k1', 'k1')])).toEqual(['spec.keys[0].parent: the key comes from itself: k1, made from k1'])
    expect(findings([child('k1', 'k2'), child('k2', 'k1')])).toHaveLength(2)
  })

  it('is at most five generations down', () => {
    const line = ['k2', 'k3', 'k4', 'k5', 'k6', 'k7'].map((id, n) => child(id, `k${n + 1}`))
    expect(findings([keySpec('k1'), ...line.slice(0, 5)])).toEqual([])
    expect(findings([keySpec('k1'), ...line])).toEqual(['spec.keys[6].parent: the key is 6 generations below k1, and the limit is 5'])
  })

  it('has at most twenty living ones beside it, whenever', () => {
    const many = (count: number, changes: (n: number) => Parameters<typeof keySpec>[1]): KeySpec[] => [keySpec('k1'), ...Array.from({ length: count }, (_none, n) => child(`k${n + 2}`, 'k1', changes(n)))]
    expect(findings(many(20, () => ({})))).toEqual([])
    expect(findings(many(21, () => ({})))).toEqual(['spec.keys[0]: 21 keys made from `k1` live at the same time, and the limit is 20'])
    expect(findings(many(21, (n) => (n === 0 ? { revokedAt: '2026-02-12T13:15:00Z' } : {})))).toEqual([])
    // One hour each, one after another: never more than one at a time.
    expect(findings(many(60, (n) => ({ createdAt: new Date(Date.parse(NOW) + n * 3_600_000).toISOString(), expiresAt: new Date(Date.parse(NOW) + (n + 1) * 3_600_000).toISOString() })))).toEqual([])
  })
})
