/** Which SQ runs the shared shards: the real one where there is one, otherwise the bundled one. */
import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'

export interface SqProgram {
  readonly kind: 'real' | 'bundled'
  readonly command: readonly [string, ...string[]]
  readonly description: string
  /** What a person has to close where it runs as a bare process. */
  readonly warning?: string
}

const ANSWERS_WITHIN_MS = 5_000

/**
 * `setting` is SQ_BIN: `bundled`, a path or a name, or undefined for the one on the PATH, else the bundled one.
 * @throws where SQ_BIN names a program that is not there or is not SQ.
 */
export async function findSq(setting: string | undefined, environment: Readonly<Record<string, string | undefined>>, programFolder: string, node: string): Promise<SqProgram> {
  const bundled: SqProgram = { kind: 'bundled', command: [node, path.join(programFolder, 'controller/sq/bundled/main.ts')], description: 'SQ: the bundled one (`cargo install sq` gives the real one)' }
  if (setting === 'bundled') return bundled
  const found = onPath(setting ?? 'sq', environment['PATH'] ?? '')
  if (found === undefined) {
    if (setting === undefined) return bundled
    throw new Error(`SQ_BIN names ${setting}, which is not a program that can be run. Give a path to sq, or \`bundled\`.`)
  }
  const version = await versionOf(found)
  if (version === undefined) throw new Error(`${found} does not answer \`sq version\`. Set SQ_BIN to the path of sq, or to \`bundled\`.`)
  return {
    kind: 'real',
    command: [found],
    description: `SQ: ${found} ${version}`,
    warning: 'real SQ listens on every address of this machine. Close its ports to others (for example `nft add rule inet filter input tcp dport != {22, 80, 443} iifname != "lo" drop`), or run it in a container: engine: docker in products/sq.yaml.',
  }
}

function onPath(name: string, searchPath: string): string | undefined {
  const candidates = name.includes('/') ? [path.resolve(name)] : searchPath.split(path.delimiter).map((folder) => path.join(folder, name))
  return candidates.find((file) => {
    try {
      accessSync(file, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

async function versionOf(file: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(file, ['version'], { timeout: ANSWERS_WITHIN_MS, cwd: '/tmp' })
    return /\d+\.\d+\.\d+/.exec(stdout)?.[0]
  } catch {
    return undefined
  }
}
