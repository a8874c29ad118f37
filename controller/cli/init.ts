/** `tenantry init DIR`: a new tenant repository from the sample, as a bare repository that can be cloned and pushed to. */
import path from 'node:path'
import { createBareRepository } from '../git/bare-repository.ts'
import { editSpec } from '../specs/write.ts'
import { settingsOf, type Answer, type CliContext } from './context.ts'
import { sampleFiles } from './sample.ts'

export interface InitOptions {
  readonly production?: true
  readonly empty?: true
}

export async function init(context: CliContext, dir: string, { production, empty }: InitOptions): Promise<Answer> {
  const folder = path.resolve(context.folder, dir)
  const { branch } = settingsOf(context)
  const files = sampleFiles(context)
    .filter((file) => !(empty && file.path.startsWith('tenants/')))
    .map((file) => (production && file.path === 'products/sq.yaml' ? { ...file, text: editSpec(file.text, [{ path: ['spec', 'run', 'engine'], value: 'docker' }]) } : file))
  const revision = await createBareRepository({ folder, branch, files, message: 'init: a tenant repository from the sample\n', environment: context.machine.environment, now: context.now })
  return { json: { folder, branch, revision }, text: `${folder} is a tenant repository (branch ${branch}, commit ${revision.slice(0, 12)}).\nClone it, edit, push. Serve it with TENANTRY_REPOSITORY=${folder} npm start.\n` }
}
