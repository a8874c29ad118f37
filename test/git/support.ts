/** Real repositories for the tests of controller/git: made by the program itself, changed from outside by plain git. */
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { createBareRepository } from '../../controller/git/bare-repository.ts'
import type { FileWrite, GitRepository } from '../../controller/git/port.ts'
import { createRepository, type RepositoryOptions } from '../../controller/git/repository.ts'
import type { BlobId, CommitId } from '../../controller/core/specs.ts'
import { onTestFinished } from 'vitest'
import { tempFolder } from '../support/temp.ts'

export const ADA = { name: 'Ada', email: 'ada@example.com' }
export const FIRST_DAY = new Date('2026-02-12T13:15:00Z')
export const NO_BLOB = '1'.repeat(40) as BlobId

const OUTSIDE = { ...process.env, GIT_AUTHOR_NAME: 'Op', GIT_AUTHOR_EMAIL: 'op@example.com', GIT_COMMITTER_NAME: 'Op', GIT_COMMITTER_EMAIL: 'op@example.com' }

/** Plain git, as an operator would run it. */
export function git(folder: string, ...args: string[]): string {
  return execFileSync('git', ['-C', folder, ...args], { encoding: 'utf8', env: OUTSIDE, stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1e9 }).trim()
}

export const SOME_FILES: FileWrite[] = [
  { path: 'platform.yaml', text: 'kind: Platform\n' },
  { path: 'tenants/sq/000/user001.yaml', text: 'name: user001\n' },
]

export async function bareRepository(files: readonly FileWrite[] = SOME_FILES): Promise<{ folder: string; first: CommitId }> {
  const folder = path.join(tempFolder('git'), 'tenants.git')
  const first = await createBareRepository({ folder, branch: 'main', files, message: 'first', environment: process.env, now: () => FIRST_DAY })
  return { folder, first }
}

/** Closed when the test ends. */
export async function open(location: string, more: Partial<RepositoryOptions> = {}): Promise<GitRepository> {
  const mirrorFolder = path.join(tempFolder('mirror'), 'mirror.git')
  const repository = await createRepository({ location, branch: 'main', mirrorFolder, environment: process.env, now: () => new Date(), ...more })
  onTestFinished(() => repository.close())
  return repository
}

/** A clone with a work tree, for pushes from outside. */
export function cloneOf(folder: string): string {
  const clone = path.join(tempFolder('clone'), 'clone')
  execFileSync('git', ['clone', '--quiet', folder, clone], { stdio: 'ignore' })
  return clone
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** Every path with its text. */
export async function contents(repository: GitRepository, commit: CommitId): Promise<Record<string, string>> {
  const entries = (await collect(repository.list(commit))).filter((entry) => entry.mode.startsWith('100'))
  const blobs = await collect(repository.read(entries.map((entry) => entry.blob), 1e6))
  return Object.fromEntries(entries.map((entry, index) => [entry.path, blobs[index]!.text!]))
}

export async function commitFiles(repository: GitRepository, parent: CommitId, files: readonly FileWrite[], message = 'change'): Promise<CommitId> {
  const outcome = await repository.commit(parent, { message, author: ADA, files })
  if (outcome.kind === 'refused') throw new Error('refused')
  return outcome.id
}
