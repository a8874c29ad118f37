/**
 * The secret files of a container: written over the engine's archive call into a small volume of their own, so that they are in no
 * argument, label, environment or image, and the engine may be on another machine. Read back to find drift; shown as digests only.
 */
import type Docker from 'dockerode'
import type { ContainerSpec } from '../../core/container.ts'
import { ReconcileError } from '../../core/outcome.ts'
import { shortDigest, type Deviation } from './drift.ts'
import { orAbsent } from './errors.ts'
import { FILES_FOLDER } from './names.ts'
import { packTar, unpackTar, type TarEntry } from './tar.ts'

type Files = ContainerSpec['files']

export interface Owner {
  readonly uid: number
  readonly gid: number
}

const FILE_MODE = 0o600
/** Says which texts the program has taken over: without it a crash between writing and reloading would go unseen. */
const APPLIED = '.applied'

const appliedMark = (files: Files): string => shortDigest(JSON.stringify(files.map(({ name, text }) => [name, text])))

/** Writes the texts; `applied` as well marks them as taken over, which is true before a start and after a reload. */
export async function writeFiles(container: Docker.Container, files: Files, owner: Owner, options: { readonly applied: boolean; readonly now: Date }): Promise<void> {
  const entries = options.applied ? [...files, { name: APPLIED, text: appliedMark(files) }] : files
  await put(container, entries, owner, options.now)
}

export async function markApplied(container: Docker.Container, files: Files, owner: Owner, now: Date): Promise<void> {
  await put(container, [{ name: APPLIED, text: appliedMark(files) }], owner, now)
}

async function put(container: Docker.Container, files: Files, owner: Owner, now: Date): Promise<void> {
  const archive = packTar(
    files.map(({ name, text }) => ({ name, text, mode: FILE_MODE, ...owner })),
    now,
  )
  await container.putArchive(archive, { path: FILES_FOLDER })
}

export async function filesDrift(container: Docker.Container, files: Files, owner: Owner): Promise<Deviation[]> {
  if (files.length === 0) return []
  const found = new Map((await readFolder(container, FILES_FOLDER)).map((entry) => [entry.name, entry]))
  const drift = files.flatMap((file) => fileDrift(file, owner, found.get(file.name)))
  if (drift.length > 0 || found.get(APPLIED)?.text === appliedMark(files)) return drift
  return [{ field: 'files', wanted: 'taken over by the program', found: 'written, but not yet taken over', repair: 'files' }]
}

function fileDrift({ name, text }: Files[number], owner: Owner, found: TarEntry | undefined): Deviation[] {
  const field = `files/${name}`
  const wanted = fileText({ text, mode: FILE_MODE, ...owner })
  const there = found === undefined ? 'absent' : fileText(found)
  return wanted === there ? [] : [{ field, wanted, found: there, repair: 'files' }]
}

const fileText = ({ text, mode, uid, gid }: Omit<TarEntry, 'name'>): string => `${shortDigest(text)} mode ${mode.toString(8)} of ${uid}:${gid}`

/** The files of a folder, by their name in it; none where there is no such folder. */
async function readFolder(container: Docker.Container, path: string): Promise<TarEntry[]> {
  const stream = await orAbsent(container.getArchive({ path }))
  if (stream === undefined) return []
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return unpackTar(Buffer.concat(chunks)).map((entry) => ({ ...entry, name: entry.name.slice(entry.name.indexOf('/') + 1) }))
}

const NUMBERS = /^\d+$/

/** The numbers of the user that a container runs as; names are looked up in the container's own /etc/passwd. */
export async function resolveOwner(container: Docker.Container, user: string): Promise<Owner> {
  const [name = '', group = ''] = user.split(':')
  if (name === '' || name === 'root') return { uid: 0, gid: 0 }
  // The group never matters for mode 0600; a name of one is not looked up.
  const gid = NUMBERS.test(group) ? Number(group) : 0
  if (NUMBERS.test(name)) return { uid: Number(name), gid }
  const [passwd] = await readFolder(container, '/etc/passwd')
  const fields = passwd?.text
    .split('\n')
    .map((line) => line.split(':'))
    .find(([known]) => known === name)
  if (fields === undefined) throw new ReconcileError({ kind: 'stalled' }, 'UserUnknown', `the image has no user ${name} in /etc/passwd. Write the user as numbers in the Product: user: "1000:1000"`)
  return { uid: Number(fields[2]), gid }
}
