/**
 * Data folders that lay elsewhere before Tenantry: looking at one, putting it in a tenant's place, and removing it with the tenant. Where
 * SQ is a process the tenant's folder becomes a link to it; a container sees the shard's folder alone, so there it is moved in by a
 * rename. Nothing is ever copied. Removing through a link removes what SQ writes and nothing else.
 */
import { constants } from 'node:fs'
import { access, lstat, mkdir, readdir, readlink, realpath, rename, rm, rmdir, stat, symlink, unlink } from 'node:fs/promises'
import path from 'node:path'
import type { ImportFault } from '../core/import-file.ts'
import { ReconcileError } from '../core/outcome.ts'
import { isForbiddenPhext, isStorablePhext } from '../core/sq-call.ts'
import type { Adoption } from '../store/adoptions.ts'

export type FolderFault = Omit<ImportFault, 'at'>

export interface FoundFolder {
  /** Absolute, without links on the way. */
  readonly folder: string
  readonly phexts: number
  readonly bytes: number
  readonly faults: readonly FolderFault[]
}

const PHEXT = /\.phext$/
const WRITTEN_BY_SQ = /\.phext(?:\.json)?$/
/** SQ makes this folder where it is started. */
const SQ_WORK = '.sq'
/** Of phexts that hold the names of another one's scrolls: a tenant's own writes to them are refused. */
const RESERVED = /~(?:names|text)\.phext$/
const SHOWN_NAMES = 3

/** Everything that is wrong with a folder at once. Changes nothing and follows no link inside. `home`: what is the installation's own cannot be taken over. */
export async function inspectFolder(folder: string, home: string): Promise<FoundFolder> {
  if (/[\u0000-\u001f\u007f]/.test(folder)) return nothing(folder, 'the path of its data folder holds control characters', 'Rename the folder.')
  const real = await realpath(folder).catch(() => undefined)
  if (real === undefined || !(await stat(real)).isDirectory()) return nothing(folder, `there is no data folder ${folder}`, 'Import on the machine that has the data; --data-dir says where the folders lie if not where the file says.')
  const realHome = await realpath(home).catch(() => home)
  if (isWithin(real, realHome) || isWithin(realHome, real)) return nothing(real, `the data folder ${real} holds this installation’s own files, or lies among them`, 'Move it to a folder beside them.')
  const denied = await access(real, constants.R_OK | constants.W_OK | constants.X_OK).then(() => false, () => true)
  if (denied) return nothing(real, `this user may not read and write ${real}`, 'Give the folder and its files to the user that runs Tenantry.')
  return inspectFiles(real)
}

const nothing = (folder: string, message: string, fix: string): FoundFolder => ({ folder, phexts: 0, bytes: 0, faults: [{ message, fix }] })

function isWithin(inner: string, outer: string): boolean {
  return inner === outer || inner.startsWith(outer.endsWith(path.sep) ? outer : outer + path.sep)
}

async function inspectFiles(folder: string): Promise<FoundFolder> {
  const faults: FolderFault[] = []
  const entries = await readdir(folder, { withFileTypes: true })
  const named = (matches: (entry: (typeof entries)[number]) => boolean): string[] => entries.filter(matches).map(({ name }) => name)
  const fault = (names: readonly string[], message: string, fix: string): void => {
    if (names.length > 0) faults.push({ message: `${folder} holds ${shownNames(names)}: ${message}`, fix })
  }
  fault(named((entry) => entry.isSymbolicLink()), 'links are not followed', 'Put the files themselves in their place.')
  fault(named((entry) => !entry.isSymbolicLink() && !isOfSq(entry.name, entry.isFile())), 'that is not SQ’s', 'Move it elsewhere: what lies in a tenant’s folder goes with the tenant.')
  fault(named(({ name }) => RESERVED.test(name)), 'names that end so are Tenantry’s own', 'Rename these phexts.')
  const files = named((entry) => entry.isFile() && isOfSq(entry.name, true))
  const sizes = await Promise.all(files.map(async (name) => (await lstat(path.join(folder, name))).size))
  const denied = await Promise.all(files.map((name) => access(path.join(folder, name), constants.R_OK | constants.W_OK).then(() => false, () => true)))
  fault(files.filter((_, index) => denied[index]), 'this user may not read and write it', 'Give the folder and its files to the user that runs Tenantry.')
  return { folder, phexts: files.filter((name) => PHEXT.test(name)).length, bytes: sizes.reduce((sum, size) => sum + size, 0), faults }
}

function isOfSq(name: string, isFile: boolean): boolean {
  if (!isFile) return name === SQ_WORK
  if (!WRITTEN_BY_SQ.test(name)) return false
  const phext = name.replace(WRITTEN_BY_SQ, '')
  return isStorablePhext(phext) && !isForbiddenPhext(phext)
}

function shownNames(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN_NAMES).map((name) => JSON.stringify(name)).join(', ')
  return names.length > SHOWN_NAMES ? `${shown} and ${names.length - SHOWN_NAMES} more` : shown
}

/** Whether nothing is stored in a tenant's folder yet. */
export async function isUnused(folder: string): Promise<boolean> {
  const present = await kindOf(folder)
  return present === 'nothing' || (present === 'folder' && (await readdir(folder)).length === 0)
}

/** Whether a rename can bring `folder` under `home`. */
export async function isOnSameDisk(folder: string, home: string): Promise<boolean> {
  return (await stat(folder)).dev === (await stat(home)).dev
}

/**
 * Makes a tenant's data folder: an empty one, or what was adopted. Idempotent, and can be killed at any instant. Answers how adopted
 * data is in place.
 * @throws ReconcileError, stalled, where the data is not there or something else is in its place: never serves an empty folder instead.
 */
export async function placeData(folder: string, adoption: Adoption | undefined, engine: 'process' | 'docker'): Promise<'linked' | 'moved' | undefined> {
  if (adoption === undefined || adoption.state === 'moved') {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    return undefined
  }
  await mkdir(path.dirname(folder), { recursive: true, mode: 0o700 })
  const present = await kindOf(folder)
  if (present === 'folder' && (await hasMoved(folder, adoption))) return 'moved'
  if (present === 'link' && engine === 'process') return refuseMissing(folder, adoption)
  await refuseMissing(folder, adoption)
  if (present === 'link') await unlink(folder)
  if (engine === 'process') await symlink(adoption.folder, folder)
  else await moveIn(adoption.folder, folder)
  return engine === 'process' ? 'linked' : 'moved'
}

async function kindOf(file: string): Promise<'nothing' | 'folder' | 'link'> {
  const found = await lstat(file).catch(whenMissing)
  return found === undefined ? 'nothing' : found.isSymbolicLink() ? 'link' : 'folder'
}

/** A folder of its own where adopted data belongs: an empty one makes room; what was moved in before a kill is there to stay. */
async function hasMoved(folder: string, { folder: from }: Adoption): Promise<boolean> {
  try {
    await rmdir(folder)
    return false
  } catch (cause) {
    if ((await kindOf(from)) === 'nothing') return true
    throw new ReconcileError({ kind: 'stalled' }, 'DataFolderTaken', `${folder} holds data already, so that in ${from} cannot take its place. Put together in ${from} what belongs together, and remove ${folder}.`, { cause })
  }
}

async function refuseMissing(folder: string, { folder: from }: Adoption): Promise<'linked'> {
  const leadsTo = (await kindOf(folder)) === 'link' ? await readlink(folder) : from
  if (leadsTo !== from) throw new ReconcileError({ kind: 'stalled' }, 'DataFolderTaken', `${folder} is a link to ${leadsTo} and not to the adopted ${from}. Remove the link.`)
  if ((await kindOf(from)) !== 'folder') throw new ReconcileError({ kind: 'stalled' }, 'DataFolderMissing', `The adopted data folder ${from} is not there. Bring it back: nothing is served in its place.`)
  return 'linked'
}

async function moveIn(from: string, folder: string): Promise<void> {
  try {
    await rename(from, folder)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EXDEV') throw cause
    throw new ReconcileError({ kind: 'stalled' }, 'DataFolderElsewhere', `${from} lies on another disk than ${folder}, and SQ in a container sees the latter alone. Stop the tenant’s SQ, move the folder there by hand, or set engine: process.`, { cause })
  }
}

/** Removes a tenant's data and its folder. Where the folder is a link that Tenantry made, what SQ wrote in the linked folder is removed, and that folder if nothing else is left in it. */
export async function removeData(folder: string, adoption: Adoption | undefined): Promise<void> {
  if ((await kindOf(folder)) !== 'link') return rm(folder, { recursive: true, force: true })
  if (adoption?.state === 'linked' && (await readlink(folder)) === adoption.folder) await removeAdopted(adoption.folder)
  await unlink(folder)
}

async function removeAdopted(folder: string): Promise<void> {
  const real = await realpath(folder).catch(whenMissing)
  if (real === undefined) return
  if (real !== folder) throw new Error(`${folder} leads to ${real} now, which was never adopted; remove the tenant's data by hand`)
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (isOfSq(entry.name, entry.isFile())) await rm(path.join(folder, entry.name), { recursive: true, force: true })
  }
  await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST' && error.code !== 'EACCES') throw error
  })
}

function whenMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
  throw error
}
