/** A real repository with a few tenants, and what owners do with it; a clock that moves only when it is told to. */
import path from 'node:path'
import { onTestFinished } from 'vitest'
import { createKeyChanges } from '../../controller/agent-keys/change-batch.ts'
import type { Tenant } from '../../controller/core/specs.ts'
import { createOwnerActions, type OwnerActions } from '../../controller/dashboard/owner-actions.ts'
import { createPast, type Past } from '../../controller/dashboard/past.ts'
import { createBareRepository } from '../../controller/git/bare-repository.ts'
import { openInstallation, type Installation } from '../../controller/installation.ts'
import { readSettings } from '../../controller/settings.ts'
import { createSpecParser } from '../../controller/specs/parse.ts'
import { gitIn } from '../support/repository.ts'
import { userId } from '../support/specs.ts'
import { tempFolder } from '../support/temp.ts'
import { fileOf, SHARED_FILES, type TextFile } from '../support/tenant-files.ts'

export interface OwnerPlace {
  readonly installation: Installation
  readonly actions: OwnerActions
  readonly past: Past
  /** The bare repository. */
  readonly folder: string
  /** In force. */
  tenant(n?: number): Tenant
  file(n?: number): string
  /** The last commit's message. */
  message(): string
  pass(ms: number): void
  now(): Date
}

const parser = createSpecParser()

export async function openOwnerPlace(files: readonly TextFile[] = [...SHARED_FILES, fileOf(1), fileOf(2)]): Promise<OwnerPlace> {
  let at = Date.parse('2026-03-01T12:00:00Z')
  const now = (): Date => new Date(at)
  const folder = path.join(tempFolder('git'), 'tenants.git')
  await createBareRepository({ folder, branch: 'main', files, message: 'first', author: { name: 'An Operator', email: 'op@example.com' }, environment: process.env, now })
  const home = tempFolder('home')
  const installation = await openInstallation(readSettings({ TENANTRY_HOME: home, TENANTRY_REPOSITORY: folder }, home), { environment: process.env, now })
  onTestFinished(() => installation.close())
  const { repository, writer, catalog, source, keyring } = installation
  await source.sync()
  const past = createPast({
    repository,
    fileOf(id) {
      const claim = catalog.entry(id)?.claims[0]
      return claim && { path: claim.path, blob: claim.blob }
    },
    parser: () => parser,
    titles: { plan: (name) => catalog.plan(name)?.spec.title ?? name },
  })
  let nonces = 0
  const actions = createOwnerActions({
    changes: createKeyChanges({ repository, writer, catalog, parser: () => parser }),
    past,
    sync: source.sync,
    platform: () => catalog.platform,
    masterVersion: keyring.masterVersion,
    newNonce: () => String(++nonces).padStart(32, 'b'),
    now,
  })
  return {
    installation,
    actions,
    past,
    folder,
    tenant: (n = 1) => catalog.tenant(userId(n))!,
    file: (n = 1) => gitIn(folder, 'show', `main:${fileOf(n).path}`),
    message: () => gitIn(folder, 'log', '-1', '--format=%B', 'main'),
    pass: (ms) => void (at += ms),
    now,
  }
}
