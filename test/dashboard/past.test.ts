/** History in words, from a real repository; and which commit set a limit. */
import { describe, expect, it } from 'vitest'
import { changerWords } from '../../controller/core/history.ts'
import { cloneRepository } from '../support/repository.ts'
import { userId } from '../support/specs.ts'
import { fileOf } from '../support/tenant-files.ts'
import { openOwnerPlace, type OwnerPlace } from './owner-place.ts'

const ID = userId(1)
const told = async ({ past }: OwnerPlace) => (await past.of(ID)).map(({ by, changes }) => [changerWords(by), ...changes.map(({ text }) => text)])

async function pushed(place: OwnerPlace, file: string, change: (text: string) => string, message: string): Promise<string> {
  const clone = cloneRepository(place.folder)
  clone.edit(file, change)
  const id = clone.push(message)
  await place.installation.source.sync()
  return id
}

describe('history', () => {
  it('tells who did what, newest first, and says nothing of a commit\'s message', async () => {
    const place = await openOwnerPlace()
    await place.actions.revokeKey(ID, 'k1')
    await pushed(place, fileOf(1).path, (text) => text.replace('state: active', 'state: suspended\n  stateReason: the card was stolen\n  limits: { storageMb: 2000 }'), 'user002 complained about user001')
    await pushed(place, fileOf(1).path, (text) => `${text}# a remark\n`, 'a remark')
    expect(await told(place)).toEqual([
      ['The operator'],
      ['The operator', 'Suspended: the card was stolen', 'Limit of storage: 2 GB'],
      ['You', 'Key k1 revoked'],
      ['The operator', 'Created on Standard'],
    ])
    expect(JSON.stringify(await place.past.of(ID))).not.toContain('complained')
  })

  it('goes on over a version that was no valid file', async () => {
    const place = await openOwnerPlace()
    const good = place.file()
    await pushed(place, fileOf(1).path, () => 'kind: [', 'broken')
    await pushed(place, fileOf(1).path, () => good.replace('plan: standard', 'plan: standard # mended'), 'mended')
    expect((await told(place)).map(([who]) => who)).toEqual(['The operator', 'The operator', 'The operator'])
  })

  it('is empty for a tenant that has no file', async () => {
    const place = await openOwnerPlace()
    expect(await place.past.of(userId(9))).toEqual([])
  })
})

describe('the commit that set a limit', () => {
  it('is the plan\'s until the tenant has one of its own, and again after that, at the time that is asked about', async () => {
    const place = await openOwnerPlace()
    const at = (): string => new Date().toISOString()
    const first = await place.past.originOf(ID, 'standard', 'storageMb', at())
    expect(first).toMatchObject({ file: 'plan', by: { kind: 'operator' } })
    const before = '2026-03-01T12:00:00Z'
    const own = await pushed(place, fileOf(1).path, (text) => text.replace('  state: active\n', '  state: active\n  limits: { storageMb: 2000 }\n'), 'more room')
    await pushed(place, 'plans/standard.yaml', (text) => text.replace('storageMb: 1000', 'storageMb: 1500'), 'more for all')
    expect(await place.past.originOf(ID, 'standard', 'storageMb', at())).toMatchObject({ file: 'tenant', commit: own })
    expect(await place.past.originOf(ID, 'standard', 'storageMb', before)).toEqual(first)
    expect(await place.past.originOf(ID, 'standard', 'requestsPerDay', at())).toBeUndefined()
  })
})
