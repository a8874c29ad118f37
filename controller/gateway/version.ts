/** Which gateway this is: a digest of its sources after the number of the protocol that it speaks with the controller. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'

/** Goes up when the routes' files, the control socket or the reports change so that an old one would misread the new. */
export const GATEWAY_PROTOCOL = 1

const CORE_FILES = ['key-format', 'route', 'gcra', 'quota', 'coordinate', 'sq-call', 'growth', 'backoff', 'named-scroll', 'phext-scope', 'phext-walk', 'placement', 'header-facts'].map((name) => `../core/${name}.ts`)
const OTHER_FILES = ['../store/usage.ts', '../store/db.ts', '../sq/files.ts']

/** The same for the same files, on any machine: a controller that finds another one running replaces it. */
export async function gatewayVersion(): Promise<string> {
  const own = (await readdir(import.meta.dirname, { recursive: true })).filter((name) => name.endsWith('.ts'))
  const digest = createHash('sha256')
  for (const name of [...own, ...CORE_FILES, ...OTHER_FILES].sort()) digest.update(`${name}\n`).update(await readFile(path.join(import.meta.dirname, name)))
  return `${GATEWAY_PROTOCOL}-${digest.digest('hex').slice(0, 12)}`
}
