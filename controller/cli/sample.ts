/** The sample tenant repository that the program brings in its folder `tenants/`, with the schemas that its files name. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

interface SampleFile {
  readonly path: string
  readonly text: string
}

export function sampleFiles({ programFolder }: { readonly programFolder: string }): SampleFile[] {
  return [...filesIn(path.join(programFolder, 'tenants'), ''), ...filesIn(path.join(programFolder, 'schemas'), 'schemas/')]
}

function filesIn(root: string, prefix: string): SampleFile[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const file = path.join(entry.parentPath, entry.name)
      return { path: prefix + path.relative(root, file).split(path.sep).join('/'), text: readFileSync(file, 'utf8') }
    })
}
