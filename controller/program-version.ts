/** Which program this is: a digest of all that it consists of, so that what another one left as a memory is not taken for its own. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'

const ROOT = path.dirname(import.meta.dirname)
const FOLDERS = ['controller', 'hooks', 'schemas']

export async function programVersion(): Promise<string> {
  const digest = createHash('sha256')
  for (const folder of FOLDERS) {
    const names = (await readdir(path.join(ROOT, folder), { recursive: true })).filter((name) => /\.(ts|json)$/.test(name)).sort()
    const texts = await Promise.all(names.map((name) => readFile(path.join(ROOT, folder, name))))
    names.forEach((name, index) => digest.update(`${folder}/${name}\n`).update(texts[index]!))
  }
  return digest.digest('hex')
}
