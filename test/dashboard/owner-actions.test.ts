/** What an owner does is a commit that says so: followed into a real repository, and back out of its history. */
import { describe, expect, it } from 'vitest'
import { liveKeys } from '../../controller/core/keys.ts'
import { changerWords } from '../../controller/core/history.ts'
import { UNDO_MS } from '../../controller/dashboard/owner-actions.ts'
import { cloneRepository } from '../support/repository.ts'
import { userId } from '../support/specs.ts'
import { fileOf } from '../support/tenant-files.ts'
import { openOwnerPlace, type OwnerPlace } from './owner-place.ts'

const ID = userId(1)
const live = ({ tenant, now }: OwnerPlace): string[] => liveKeys(tenant().spec.keys, now().toISOString()).map(({ id }) => id)
const refusal = (doing: Promise<unknown>): Promise<unknown> => doing.then(() => 'done', (error: { code?: string }) => error.code ?? error)

describe('keys', () => {
  it('are made with a name, an end and less than everything, in a commit by the owner that tells no address', async () => {
    const place = await openOwnerPlace()
    const made = await place.actions.makeKey(ID, { name: 'reader', access: { readOnly: true }, expiresAt: '2026-04-01T23:59:59Z' })
    expect(place.tenant().spec.keys[1]).toEqual({ id: 'k2', nonce: made.nonce, name: 'reader', access: { readOnly: true }, createdAt: '2026-03-01T12:00:00Z', expiresAt: '2026-04-01T23:59:59Z' })
    expect(place.message()).toBe('keys: user001: key k2 made: read-only\n\n- user001: key k2 made: read-only\n\nBy: owner of user001')
    expect(place.file()).toContain('# asked for by telephone')
    expect(await refusal(place.actions.makeKey(ID, { expiresAt: '2026-01-01T00:00:00Z' }))).toBe('ends-in-the-past')
  })

  it('are renamed, and lose their name', async () => {
    const place = await openOwnerPlace()
    await place.actions.renameKey(ID, 'k1', 'laptop')
    expect(place.tenant().spec.keys[0]!.name).toBe('laptop')
    expect(place.message()).toContain('key k1 has another name')
    await place.actions.renameKey(ID, 'k1', undefined)
    expect(place.tenant().spec.keys[0]!.name).toBeUndefined()
    expect(await refusal(place.actions.renameKey(ID, 'k9', 'x'))).toBe('key-unknown')
  })

  it('are rotated: the new one may the same, the old one works through the overlap', async () => {
    const place = await openOwnerPlace()
    await place.actions.renameKey(ID, 'k1', 'laptop')
    const { made, oldUntil } = await place.actions.rotateKey(ID, 'k1')
    expect([made.id, made.name, oldUntil]).toEqual(['k2', 'laptop', '2026-03-02T12:00:00Z'])
    expect(live(place)).toEqual(['k1', 'k2'])
    place.pass(24 * 3_600_000)
    expect(live(place)).toEqual(['k2'])
    expect(await refusal(place.actions.rotateKey(ID, 'k1'))).toBe('key-not-possible')
  })

  it('are revoked at once, and work again when the owner takes that back within ten minutes', async () => {
    const place = await openOwnerPlace()
    await place.actions.makeKey(ID, { parent: 'k1', access: { readOnly: true } })
    await place.actions.revokeKey(ID, 'k1')
    expect(live(place)).toEqual([])
    expect([...(await place.actions.undoable(place.tenant()))]).toEqual([['k1', '2026-03-01T12:10:00Z']])
    place.pass(UNDO_MS - 1)
    await place.actions.undoRevoke(place.tenant(), 'k1')
    expect(live(place)).toEqual(['k1', 'k2'])
    expect(place.message()).toContain('the revocation of key k1 is taken back\n\nBy: owner of user001')
    expect((await place.actions.undoable(place.tenant())).size).toBe(0)
  })

  it('stay revoked after ten minutes', async () => {
    const place = await openOwnerPlace()
    await place.actions.revokeKey(ID, 'k1')
    place.pass(UNDO_MS)
    expect((await place.actions.undoable(place.tenant())).size).toBe(0)
    expect(await refusal(place.actions.undoRevoke(place.tenant(), 'k1'))).toBe('key-not-possible')
    expect(live(place)).toEqual([])
  })

  it('stay revoked where somebody else revoked them, such as an operator', async () => {
    const place = await openOwnerPlace()
    const clone = cloneRepository(place.folder)
    clone.edit(fileOf(1).path, (text) => text.replace('13:15:00Z }', '13:15:00Z, revokedAt: 2026-03-01T12:00:00Z }'))
    clone.push('it leaked')
    await place.installation.source.sync()
    expect((await place.actions.undoable(place.tenant())).size).toBe(0)
    expect(await refusal(place.actions.undoRevoke(place.tenant(), 'k1'))).toBe('key-not-possible')
  })

  it('of several owners at once are one commit, of which each is told its own part', async () => {
    const place = await openOwnerPlace()
    await place.actions.renameKey(userId(2), 'k1', 'first')
    await Promise.all([place.actions.renameKey(ID, 'k1', 'a'), place.actions.renameKey(userId(2), 'k1', 'b'), place.actions.makeKey(ID, { name: 'c' })])
    const told = async (n: number) => (await place.past.of(userId(n))).map(({ by, changes }) => `${changerWords(by)}: ${changes.map(({ text }) => text).join('; ')}`)
    expect((await told(1)).at(0)).toBe('You: Key k2 “c” made')
    expect((await told(1)).at(1)).toBe('You: Key k1 is called “a”')
    expect((await told(2)).join()).not.toContain('“a”')
  })
})

describe('the account', () => {
  it('is put on the founders page under a name, and taken off it', async () => {
    const place = await openOwnerPlace()
    await place.actions.list(ID, 'Ada L.')
    expect(place.tenant().spec.owner.listedAs).toBe('Ada L.')
    expect(place.message()).toMatch(/^account: user001: agreed to stand on the founders page\n[\s\S]*By: owner of user001$/)
    expect(place.message()).not.toContain('Ada')
    await place.actions.list(ID, undefined)
    expect(place.file()).not.toContain('listedAs')
  })

  it('is closed for good: no rule of billing opens it again, and closing again changes nothing', async () => {
    const place = await openOwnerPlace()
    await place.actions.close(ID)
    expect(place.tenant().spec).toMatchObject({ state: 'ended', stateReason: 'closed by its owner', endedAt: '2026-03-01T12:00:00Z' })
    expect(place.tenant().spec.stateBy).toBeUndefined()
    const message = place.message()
    place.pass(60_000)
    await place.actions.close(ID)
    expect(place.message()).toBe(message)
  })
})
