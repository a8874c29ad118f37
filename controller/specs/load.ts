/** Reads a whole tenant repository, from a folder or from a revision, into a catalog of its own: for `validate` and `plan`, which touch nothing that runs. */
import { lstat, readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { createCatalog, type Catalog, type FileDelta } from '../core/catalog.ts'
import { compareProblems, type Finding, type Problem } from '../core/problem.ts'
import type { BlobId, CommitId } from '../core/specs.ts'
import type { GitRepository, TreeEntry } from '../git/port.ts'
import { createSpecParser, MAX_SPEC_BYTES, placeOf, refusedEntry } from './parse.ts'
import { isSpecPath } from './paths.ts'

export interface Loaded {
  readonly catalog: Catalog
  /** The text of a file, for the places of problems. */
  readonly textOf: (path: string) => Promise<string | undefined>
}

const parser = createSpecParser()

export async function loadFolder(folder: string): Promise<Loaded> {
  const deltas: FileDelta[] = []
  const names = (await readdir(folder, { recursive: true })).map((name) => name.split(path.sep).join('/')).filter((name) => isSpecPath(name))
  for (const name of names.sort()) {
    const file = path.join(folder, name)
    const stat = await lstat(file)
    if (stat.isDirectory()) continue
    const parsed = stat.isSymbolicLink() ? refusedEntry(name, 'symlink') : stat.size > MAX_SPEC_BYTES ? refusedEntry(name, 'oversized') : parser.parse(name, await readFile(file, 'utf8'))
    deltas.push({ path: name, file: { path: name, blob: name as string as BlobId, parsed } })
  }
  const catalog = createCatalog()
  catalog.apply(deltas)
  return { catalog, textOf: (name) => readFile(path.join(folder, name), 'utf8').catch(() => undefined) }
}

export async function loadRevision(repository: GitRepository, revision: CommitId): Promise<Loaded> {
  const entries: TreeEntry[] = []
  for await (const entry of repository.list(revision)) if (isSpecPath(entry.path)) entries.push(entry)
  const catalog = createCatalog()
  const blobs = new Map(entries.map(({ path: name, blob }) => [name, blob]))
  catalog.apply(await parseEntries(repository, entries))
  return { catalog, textOf: (name) => textOfBlob(repository, blobs.get(name)) }
}

/** Reads and parses tree entries without any cache. */
export async function parseEntries(repository: GitRepository, entries: readonly TreeEntry[]): Promise<FileDelta[]> {
  const regular = entries.filter(({ mode }) => mode.startsWith('100'))
  const deltas: FileDelta[] = entries
    .filter(({ mode }) => !mode.startsWith('100'))
    .map(({ path: name, blob, mode }) => ({ path: name, file: { path: name, blob, parsed: refusedEntry(name, mode === '120000' ? 'symlink' : 'submodule') } }))
  let position = 0
  for await (const { text } of repository.read(regular.map(({ blob }) => blob), MAX_SPEC_BYTES)) {
    const { path: name, blob } = regular[position++]!
    deltas.push({ path: name, file: { path: name, blob, parsed: text === undefined ? refusedEntry(name, 'oversized') : parser.parse(name, text) } })
  }
  return deltas
}

async function textOfBlob(repository: GitRepository, blob: BlobId | undefined): Promise<string | undefined> {
  if (blob === undefined) return undefined
  for await (const { text } of repository.read([blob], MAX_SPEC_BYTES)) return text
  return undefined
}

/** Everything that is wrong, with line and column, in the order of the files. */
export async function problemsOf({ catalog, textOf }: Loaded): Promise<Problem[]> {
  const problems: Problem[] = []
  for (const finding of catalog.findings()) problems.push(hasPlace(finding) ? finding : { ...finding, ...placed(await textOf(finding.file), finding.field) })
  return problems.sort(compareProblems)
}

const hasPlace = (finding: Finding): finding is Problem => 'line' in finding

function placed(text: string | undefined, field: string): { readonly line: number; readonly column: number } {
  return text === undefined ? { line: 1, column: 1 } : placeOf(text, field)
}
