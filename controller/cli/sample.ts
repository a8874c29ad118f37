/** The sample tenant repository that the program brings in its folder `tenants/`. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

export function sampleFiles({ programFolder }: { readonly programFolder: string }): { path: string; text: string }[] {
  const root = path.join(programFolder, 'tenants')
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const file = path.join(entry.parentPath, entry.name)
      return { path: path.relative(root, file).split(path.sep).join('/'), text: readFileSync(file, 'utf8') }
    })
}
