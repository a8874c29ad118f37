import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { ReconcileError } from '../../controller/core/outcome.ts'
import { inspectFolder, placeData, removeData } from '../../controller/sq/adopted-data.ts'
import type { Adoption } from '../../controller/store/adoptions.ts'
import { tempFolder } from '../support/temp.ts'

const OTHER_DISK = '/dev/shm'
const otherDisk = existsSync(OTHER_DISK) && statSync(OTHER_DISK).dev !== statSync(tmpdir()).dev

interface Ground {
  readonly home: string
  /** The tenant's place. */
  readonly place: string
  /** What lay there before. */
  readonly old: string
  readonly noted: Adoption
  readonly linked: Adoption
}

function ground(files: Readonly<Record<string, string>> = { 'notes.phext': 'hello', '.phext': '' }): Ground {
  const root = tempFolder('adopt')
  const home = path.join(root, 'home')
  const old = path.join(root, 'old', 'ada')
  mkdirSync(home)
  mkdirSync(old, { recursive: true })
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(old, name), text)
  return { home, old, place: path.join(home, 'sq', 'sq-000', 'data', 'user001'), noted: { folder: old, state: 'noted', tenant: undefined }, linked: { folder: old, state: 'linked', tenant: undefined } }
}

const messagesOf = async (folder: string, home: string): Promise<string[]> => (await inspectFolder(folder, home)).faults.map(({ message }) => message)

describe('looking at a data folder', () => {
  it('finds what is stored', async () => {
    const { old, home } = ground({ 'notes.phext': 'hello', '.phext': '', 'notes.phext.json': '{}' })
    mkdirSync(path.join(old, '.sq'))
    expect(await inspectFolder(old, home)).toEqual({ folder: old, phexts: 2, bytes: 7, faults: [] })
  })

  it('tells everything that is not SQ’s, and what Tenantry keeps names in', async () => {
    const { old, home } = ground({ 'notes.phext': '', 'README.md': '', 'a.txt': '', 'plan~names.phext': '', [`${'x'.repeat(220)}.phext`]: '' })
    mkdirSync(path.join(old, 'sub'))
    symlinkSync('/etc/passwd', path.join(old, 'link.phext'))
    const messages = await messagesOf(old, home)
    expect(messages).toHaveLength(3)
    expect(messages[0]).toContain('"link.phext": links are not followed')
    expect(messages[1]).toMatch(/ and 1 more: that is not SQ’s$/)
    expect(messages[2]).toContain('"plan~names.phext": names that end so')
  })

  it('takes neither what is not there, nor what holds the installation’s own files', async () => {
    const { home, old } = ground()
    expect((await messagesOf(path.join(old, 'gone'), home))[0]).toContain('there is no data folder')
    expect((await messagesOf(path.join(old, 'notes.phext'), home))[0]).toContain('there is no data folder')
    expect((await messagesOf('/', home))[0]).toContain('own files')
    expect((await messagesOf(path.dirname(home), home))[0]).toContain('own files')
    mkdirSync(path.join(home, 'sq'))
    expect((await messagesOf(path.join(home, 'sq'), home))[0]).toContain('own files')
    expect((await messagesOf(`${old}\u0007`, home))[0]).toContain('control characters')
  })

  it('answers the folder itself, where the path leads over links', async () => {
    const { old, home } = ground()
    const alias = path.join(path.dirname(old), 'alias')
    symlinkSync(old, alias)
    expect((await inspectFolder(alias, home)).folder).toBe(old)
  })
})

describe('putting data in its place', () => {
  it('makes an empty folder where there is none to adopt', async () => {
    const { place } = ground()
    expect(await placeData(place, undefined, 'process')).toBeUndefined()
    expect([readdirSync(place), statSync(place).mode & 0o777]).toEqual([[], 0o700])
  })

  it('links for a process, and does so once', async () => {
    const { place, old, noted, linked } = ground()
    expect(await placeData(place, noted, 'process')).toBe('linked')
    const { ino } = lstatSync(place)
    expect(await placeData(place, linked, 'process')).toBe('linked')
    expect([lstatSync(place).ino, readlinkSync(place), readFileSync(path.join(place, 'notes.phext'), 'utf8')]).toEqual([ino, old, 'hello'])
  })

  it('moves for a container, with the very same files', async () => {
    const { place, old, noted } = ground()
    const { ino } = statSync(path.join(old, 'notes.phext'))
    expect(await placeData(place, noted, 'docker')).toBe('moved')
    expect([existsSync(old), statSync(path.join(place, 'notes.phext')).ino, lstatSync(place).isSymbolicLink()]).toEqual([false, ino, false])
    // Killed before that was noted.
    expect(await placeData(place, noted, 'docker')).toBe('moved')
    expect(await placeData(place, { ...noted, state: 'moved' }, 'process')).toBeUndefined()
    expect(readFileSync(path.join(place, 'notes.phext'), 'utf8')).toBe('hello')
  })

  it('moves in what was linked, when the product goes into a container', async () => {
    const { place, old, noted, linked } = ground()
    await placeData(place, noted, 'process')
    expect(await placeData(place, linked, 'docker')).toBe('moved')
    expect([existsSync(old), lstatSync(place).isSymbolicLink(), readdirSync(place).sort()]).toEqual([false, false, ['.phext', 'notes.phext']])
  })

  it.skipIf(!otherDisk)('says what to do where the data lies on another disk than a container’s', async () => {
    const { place } = ground()
    const far = mkdtempSync(path.join(OTHER_DISK, 'adopt-'))
    onTestFinished(() => rmSync(far, { recursive: true }))
    expect(await reasonOf(placeData(place, { folder: far, state: 'noted', tenant: undefined }, 'docker'))).toBe('DataFolderElsewhere')
    expect([existsSync(far), existsSync(place)]).toEqual([true, false])
    expect(await placeData(place, { folder: far, state: 'noted', tenant: undefined }, 'process')).toBe('linked')
  })

  it('takes the place of a folder in which nothing is stored, and of no other', async () => {
    const { place, noted } = ground()
    mkdirSync(place, { recursive: true })
    expect(await placeData(place, noted, 'process')).toBe('linked')
    rmSync(place)
    mkdirSync(place)
    writeFileSync(path.join(place, 'new.phext'), 'written meanwhile')
    expect(await reasonOf(placeData(place, noted, 'process'))).toBe('DataFolderTaken')
    expect(readdirSync(place)).toEqual(['new.phext'])
  })

  it.each(['process', 'docker'] as const)('never serves an empty folder in place of data that is not there (%s)', async (engine) => {
    const { place, old, noted, linked } = ground()
    rmSync(old, { recursive: true })
    for (const adoption of [noted, linked]) {
      expect(await reasonOf(placeData(place, adoption, engine))).toBe('DataFolderMissing')
      mkdirSync(place, { recursive: true })
      expect(await reasonOf(placeData(place, adoption, engine))).toBe('DataFolderMissing')
    }
  })

  it('leaves a link that leads elsewhere alone', async () => {
    const { place, home, noted } = ground()
    mkdirSync(path.dirname(place), { recursive: true })
    symlinkSync(home, place)
    expect(await reasonOf(placeData(place, noted, 'process'))).toBe('DataFolderTaken')
    expect(await reasonOf(placeData(place, noted, 'docker'))).toBe('DataFolderTaken')
    expect(readlinkSync(place)).toBe(home)
  })
})

const reasonOf = (work: Promise<unknown>): Promise<string> => work.then(() => 'done', (error: ReconcileError) => error.reason)

describe('removing data', () => {
  it('removes what was adopted, and nothing else', async () => {
    const { place, old, noted, linked } = ground({ 'notes.phext': 'x', 'notes.phext.json': '{}' })
    const beside = path.join(path.dirname(old), 'bob')
    mkdirSync(beside)
    writeFileSync(path.join(beside, 'notes.phext'), 'bob’s')
    await placeData(place, noted, 'process')
    await removeData(place, linked)
    expect([existsSync(place), existsSync(old), readFileSync(path.join(beside, 'notes.phext'), 'utf8')]).toEqual([false, false, 'bob’s'])
    await removeData(place, linked)
  })

  it('leaves what somebody put beside it, and what links there lead to', async () => {
    const { place, old, home, noted, linked } = ground()
    await placeData(place, noted, 'process')
    const secret = path.join(home, 'master.phext')
    writeFileSync(secret, 'precious')
    writeFileSync(path.join(old, 'invoice.pdf'), 'kept')
    symlinkSync(secret, path.join(old, 'trap.phext'))
    await removeData(place, linked)
    expect([existsSync(place), readdirSync(old).sort(), readFileSync(secret, 'utf8')]).toEqual([false, ['invoice.pdf', 'trap.phext'], 'precious'])
  })

  it('removes a link that it does not know, and nothing behind it', async () => {
    const { place, old, noted, linked } = ground()
    for (const adoption of [undefined, noted, { ...linked, folder: `${old}-other` }]) {
      mkdirSync(path.dirname(place), { recursive: true })
      symlinkSync(old, place)
      await removeData(place, adoption)
      expect([existsSync(place), readdirSync(old).sort()]).toEqual([false, ['.phext', 'notes.phext']])
    }
  })

  it('stops where the adopted folder has become a link to another', async () => {
    const { place, old, noted, linked } = ground()
    await placeData(place, noted, 'process')
    const elsewhere = path.join(path.dirname(old), 'elsewhere')
    mkdirSync(elsewhere)
    writeFileSync(path.join(elsewhere, 'notes.phext'), 'another’s')
    rmSync(old, { recursive: true })
    symlinkSync(elsewhere, old)
    await expect(removeData(place, linked)).rejects.toThrow('was never adopted')
    expect(readdirSync(elsewhere)).toEqual(['notes.phext'])
  })

  it('removes a folder of its own whole', async () => {
    const { place } = ground()
    await placeData(place, undefined, 'process')
    writeFileSync(path.join(place, 'notes.phext'), '')
    await removeData(place, undefined)
    expect(existsSync(place)).toBe(false)
  })
})
