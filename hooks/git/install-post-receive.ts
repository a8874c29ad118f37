/**
 * Puts the post-receive hook into a bare repository, for places where a file watch sees nothing (network disks, some container
 * mounts). Replaces an older one of its own, and never somebody else's.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'

export interface PostReceiveOptions {
  /** The bare repository. */
  readonly repository: string
  /** `HOME/run.json`, whose `adminUrl` is where the poke goes. */
  readonly runFile: string
  /** The node program, for machines without curl. */
  readonly node: string
}

/** `foreign`: there is another hook, which was left as it is. */
export type PostReceiveOutcome = { readonly kind: 'installed' } | { readonly kind: 'unchanged' } | { readonly kind: 'foreign'; readonly file: string }

const MARK = '# tenantry post-receive hook'

export async function installPostReceive(options: PostReceiveOptions): Promise<PostReceiveOutcome> {
  const template = await readFile(path.join(import.meta.dirname, 'post-receive'), 'utf8')
  const values: Record<string, string> = { RUN_FILE: path.resolve(options.runFile), NODE: options.node }
  const wanted = template.replace(/@(RUN_FILE|NODE)@/g, (_all, name: string) => quoted(values[name]!))
  const folder = path.join(options.repository, 'hooks')
  const file = path.join(folder, 'post-receive')
  const present = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (present === wanted) return { kind: 'unchanged' }
  if (present !== undefined && !present.includes(MARK)) return { kind: 'foreign', file }
  await mkdir(folder, { recursive: true })
  // Written beside and renamed: a push in this instant runs the old hook or the new one.
  const beside = `${file}.${randomUUID()}`
  await writeFile(beside, wanted, { mode: 0o755 })
  await rename(beside, file)
  return { kind: 'installed' }
}

/** For sh: nothing inside single quotes has a meaning but the single quote itself. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
