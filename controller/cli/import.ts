/**
 * `tenantry import FILE`: the customers of an existing SQ installation become tenants in one commit. Keys that were handed out go on
 * working, known by their digests alone, and the data stays where it lies until the controller puts it in the tenant's place. All that
 * stands in the way is listed first, and then nothing is changed.
 */
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { Catalog } from '../core/catalog.ts'
import { lastPart, parseImportFile, printable, type ImportEntry, type ImportFault, type ImportFile } from '../core/import-file.ts'
import { planImport, type ImportKey, type ImportPlan } from '../core/import-plan.ts'
import { shardOf } from '../core/placement.ts'
import { formatProblem } from '../core/problem.ts'
import type { BlobId, Plan, Product, SharedSqRun, TenantId } from '../core/specs.ts'
import type { CommitRequest } from '../git/port.ts'
import type { Installation } from '../installation.ts'
import type { Decision } from '../reconcile/writer.ts'
import { inspectFolder, isOnSameDisk, isUnused, type FoundFolder } from '../sq/adopted-data.ts'
import { shardFolders } from '../sq/files.ts'
import { baseName } from '../specs/paths.ts'
import { createSpecParser } from '../specs/parse.ts'
import { stringifyTenant } from '../specs/write.ts'
import { createHighestNumbers } from '../store/highest-numbers.ts'
import { settingsOf, UsageError, withInstallation, type Answer, type CliContext } from './context.ts'
import { answerOf, warningsFor, type ImportOutcome } from './import-answer.ts'
import { pokeController } from './run-file.ts'
import { timestampOf } from '../core/timestamp.ts'

export interface ImportOptions {
  readonly dataDir?: string
  readonly plan?: string
  readonly product?: string
  readonly dryRun?: true
}

const FOLDERS_AT_ONCE = 16
const NOT_IN_GIT = '' as BlobId

export async function importTenants(context: CliContext, file: string, options: ImportOptions): Promise<Answer> {
  const source = readImportFile(context, file)
  const found = await findFolders(context, file, source, options)
  const outcome = await withInstallation(context, async (installation) => {
    const { revision, result } = await installation.writer.write((): Promise<Decision<ImportOutcome>> => decide(context, installation, { file, source, found, options }))
    return { ...result, revision }
  })
  if (outcome.revision !== undefined) await pokeController(settingsOf(context).home)
  const sizes = new Map(found.flatMap((each) => ('folder' in each ? [[each.folder, each.bytes]] : [])))
  const report = { file, source, sizes, dryRun: options.dryRun === true, ...outcome }
  return answerOf(report, await warningsFor(report))
}

function readImportFile(context: CliContext, file: string): ImportFile {
  let text: string
  try {
    text = readFileSync(path.resolve(context.folder, file), 'utf8')
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}.`)
  }
  const parsed = parseImportFile(parseJson(file, text))
  if (parsed === undefined) throw new UsageError(`${file} is neither an SQ configuration (\`sq host --config\`, \`sq route\`) nor a tenants.json: each has a field \`tenants\`.`)
  if (parsed.entries.length + parsed.faults.length === 0) throw new UsageError(`${file} names no customers.`)
  return parsed
}

/** Node quotes the text around a fault, which may be a key: only its place is told. */
function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    const position = /at position (\d+)/.exec((error as Error).message)?.[1]
    const before = text.slice(0, position === undefined ? text.length : Number(position)).split('\n')
    throw new UsageError(`${file}:${before.length}:${before.at(-1)!.length + 1} this is no JSON. Correct it: no comments, no comma behind the last entry.`)
  }
}

/** What was found for each entry, in the order of the entries. */
async function findFolders(context: CliContext, file: string, { entries }: ImportFile, { dataDir }: ImportOptions): Promise<(FoundFolder | ImportFault)[]> {
  const { home } = settingsOf(context)
  const found: (FoundFolder | ImportFault)[] = []
  for (let at = 0; at < entries.length; at += FOLDERS_AT_ONCE) {
    const part = entries.slice(at, at + FOLDERS_AT_ONCE)
    found.push(
      ...(await Promise.all(
        part.map(async (entry) => {
          const folder = folderOf(context, entry, dataDir)
          return typeof folder === 'string' ? inspectFolder(folder, home) : folder
        }),
      )),
    )
  }
  return found
}

function folderOf(context: CliContext, entry: ImportEntry, dataDir: string | undefined): string | ImportFault {
  const named = entry.dataDir ?? entry.name
  if (dataDir !== undefined) {
    const name = lastPart(named)
    if (['', '.', '..'].includes(name) || (entry.dataDir === undefined && name !== named)) return { at: entry.at, message: 'its folder’s name is none', fix: 'Write `data_dir` as a plain path.' }
    return path.resolve(context.folder, dataDir, name)
  }
  if (entry.dataDir === undefined) return { at: entry.at, message: 'the file does not say where its data lies', fix: 'Say with --data-dir in which folder the customers’ folders are.' }
  if (!path.isAbsolute(entry.dataDir)) return { at: entry.at, message: '`data_dir` is relative to where SQ was started, which the file does not say', fix: 'Say with --data-dir in which folder the customers’ folders are.' }
  return path.normalize(entry.dataDir)
}

interface Work {
  readonly file: string
  readonly source: ImportFile
  readonly found: readonly (FoundFolder | ImportFault)[]
  readonly options: ImportOptions
}

/** May be run again on a newer tip. Where the data lies is noted, and numbers are raised, before the commit that needs it. */
async function decide(context: CliContext, installation: Installation, { file, source, found, options }: Work): Promise<Decision<ImportOutcome>> {
  const { catalog, stores, keyring, settings } = installation
  const product = productOf(catalog, options)
  const plan = planNamed(catalog, product, options)
  const numbers = createHighestNumbers(stores.durable)
  const keys = source.entries.flatMap((entry, index): ImportKey[] => {
    const folder = found[index]!
    return 'at' in folder ? [] : [{ entry, digest: digestOf(entry.token), folder: folder.folder }]
  })
  const planned = planImport(catalog, keys, {
    product,
    plan,
    ownerOf: ownersOf(installation),
    keptFor: (digest) => stores.adoptions.byKeys([digest])?.tenant,
    keysOfFolder: stores.adoptions.keysOf,
    wasGiven: await givenIds(installation),
    highestNumber: numbers.get(product.metadata.name),
    now: timestampOf(context.now()),
    nonces: keys.map(() => randomBytes(16).toString('hex')),
    masterVersion: keyring.masterVersion,
  })
  const files = planned.tenants.map(({ path: at, tenant }) => ({ path: at, text: stringifyTenant(tenant) }))
  const clashes = [...source.faults, ...folderFaults(source, found, planned), ...planned.clashes, ...(await engineFaults(planned, product, settings.home)), ...fileFaults(catalog, planned, files)]
  const result: ImportOutcome = { product, plan: clashes.length === 0 ? planned : { ...planned, tenants: [], clashes } }
  if (clashes.length > 0 || options.dryRun) return { result }
  stores.adoptions.note([...planned.tenants, ...(await withoutData(planned, found, product, settings.home))], context.now().toISOString())
  if (files.length === 0) return { result }
  numbers.raise(product.metadata.name, Math.max(...planned.tenants.map(({ number }) => number)))
  return { result, commit: commitOf(context, file, product, planned, files) }
}

const digestOf = (token: string): string => createHash('sha256').update(token).digest('hex')

function productOf(catalog: Catalog, options: ImportOptions): Product {
  const shared = [...catalog.products()].filter(({ spec }) => spec.run.kind === 'shared-sq')
  const named = options.product ?? (options.plan === undefined ? undefined : catalog.plan(options.plan)?.spec.product)
  const names = shared.map(({ metadata }) => metadata.name).join(', ')
  const product = named === undefined ? (shared.length === 1 ? shared[0] : undefined) : shared.find(({ metadata }) => metadata.name === named)
  if (product !== undefined) return product
  throw new UsageError(named === undefined ? `Name the product with --product: ${names}.` : `${named} is no product with a shared SQ, and the data of others does not lie in folders. Products with one: ${names}.`)
}

function planNamed(catalog: Catalog, product: Product, options: ImportOptions): Plan | undefined {
  if (options.plan === undefined) return undefined
  const plan = catalog.plan(options.plan)
  const name = product.metadata.name
  if (plan?.spec.product === name) return plan
  const plans = [...catalog.plans()].filter(({ spec }) => spec.product === name).map(({ metadata }) => metadata.name)
  throw new UsageError(`${options.plan} is no plan of ${name}. Its plans: ${plans.join(', ')}.`)
}

/** By every key of every tenant, those that are derived too: what Tenantry itself wrote can be imported without harm. */
function ownersOf({ catalog, keyring }: Installation): (digest: string) => TenantId | undefined {
  const owners = new Map<string, TenantId>()
  for (const { metadata, spec } of catalog.tenants()) {
    for (const key of spec.keys) owners.set(key.digest ?? keyring.keyDigest(metadata.name, key), metadata.name)
  }
  return (digest) => owners.get(digest)
}

async function givenIds({ repository, stores }: Installation): Promise<(id: TenantId) => boolean> {
  const given = new Set<string>()
  for await (const each of repository.pathsEverAdded('tenants')) given.add(baseName(each))
  return (id) => given.has(id) || stores.records.get(id) !== undefined
}

/** Who is a tenant already has its data in place: its old folder may be gone. */
function folderFaults({ entries }: ImportFile, found: readonly (FoundFolder | ImportFault)[], { already }: ImportPlan): ImportFault[] {
  const settled = new Set(already.map(({ folder }) => folder))
  const seen = new Set<string>()
  return found.flatMap((folder, index) => {
    if ('at' in folder) return [folder]
    if (settled.has(folder.folder) || seen.has(folder.folder)) return []
    seen.add(folder.folder)
    return folder.faults.map((fault) => ({ at: entries[index]!.at, ...fault }))
  })
}

/** Who is a tenant already and has no data in place: its HOME was lost, or the controller has not come to it yet. */
async function withoutData({ already }: ImportPlan, found: readonly (FoundFolder | ImportFault)[], product: Product, home: string): Promise<ImportPlan['already']> {
  const sound = new Set(found.flatMap((each) => ('folder' in each && each.faults.length === 0 ? [each.folder] : [])))
  const folders = shardFolders(home)
  const unused = await Promise.all(
    already.map(async ({ tenant, folder }) => {
      const shard = shardOf(product, tenant)
      return shard !== undefined && sound.has(folder) && (await isUnused(folders.data(shard.name, tenant)))
    }),
  )
  return already.filter((_, index) => unused[index])
}

/** SQ in a container sees its shard's folder alone, so data is moved in; that is a rename, or it would be a copy. */
async function engineFaults({ tenants }: ImportPlan, { metadata, spec }: Product, home: string): Promise<ImportFault[]> {
  if ((spec.run as SharedSqRun).engine !== 'docker') return []
  const faults = await Promise.all(
    tenants.map(async ({ name, tenant, folder }): Promise<ImportFault[]> => {
      if (await isOnSameDisk(folder, home).catch(() => true)) return []
      const message = `${folder} lies on another disk than ${home}, and ${metadata.name} runs in a container, which sees the latter alone`
      return [{ at: name === '' ? tenant.metadata.name : printable(name), message, fix: 'Set TENANTRY_HOME to a folder on that disk, or move the data to the other one first.' }]
    }),
  )
  return faults.flat()
}

/** What is about to be written, as the repository would take it. */
function fileFaults(catalog: Catalog, { tenants }: ImportPlan, files: readonly { readonly path: string; readonly text: string }[]): ImportFault[] {
  const parser = createSpecParser()
  const parsed = files.map((file) => ({ path: file.path, parsed: parser.parse(file.path, file.text) }))
  const unreadable = parsed.flatMap(({ parsed: each }) => (each.kind === 'bad' ? each.problems.map((problem): ImportFault => ({ at: problem.file, message: formatProblem(problem), fix: '' })) : []))
  if (unreadable.length > 0) return unreadable
  catalog.apply(parsed.map(({ path: at, parsed: each }) => ({ path: at, file: { path: at, blob: NOT_IN_GIT, parsed: each } })))
  const faults = tenants.flatMap(({ name, tenant }) =>
    (catalog.entry(tenant.metadata.name)?.findings ?? []).map(({ field, message, fix }): ImportFault => ({ at: name === '' ? tenant.metadata.name : printable(name), message: `${field}: ${message}`, fix })),
  )
  catalog.apply(parsed.map(({ path: at }) => ({ path: at })))
  return faults
}

/** Names only those user names that tenants have from now on: other names, such as addresses, stay out of history. */
function commitOf(context: CliContext, file: string, product: Product, { tenants }: ImportPlan, files: CommitRequest['files']): CommitRequest {
  const count = tenants.length === 1 ? tenants[0]!.tenant.metadata.name : `${tenants.length} tenants`
  const lines = tenants.map(({ tenant: { metadata, spec } }) => `- ${metadata.name}${spec.owner.username === undefined ? '' : ` for ${spec.owner.username}`} on ${spec.plan}`)
  const message = `import: ${count} of ${product.metadata.name} from ${printable(path.basename(file))}\n\n${lines.join('\n')}\n\nBy: ${context.person.name}\n`
  return { message, author: context.person, files }
}
