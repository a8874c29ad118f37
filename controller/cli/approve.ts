/** `tenantry approve REV`: lets the held removals of exactly that revision through. The set was fixed when the revision was taken in. */
import { openStores } from '../installation.ts'
import { settingsOf, UsageError, type Answer, type CliContext } from './context.ts'
import { pokeController } from './run-file.ts'

export async function approve(context: CliContext, revision: string): Promise<Answer> {
  const { home } = settingsOf(context)
  const stores = openStores(home)
  try {
    const at = context.now().toISOString()
    const tenants = stores.deletions.approve(revision, context.person.name, at)
    if (tenants.length === 0) throw new UsageError(`No removals wait for revision ${revision}. \`tenantry status\` shows what waits.`)
    for (const tenant of tenants) stores.audit.add({ at, actor: context.person.name, action: 'approve removal', tenant, detail: `revision ${revision}` })
    await pokeController(home)
    return { json: { revision, tenants }, text: `Approved: removal of ${tenants.join(', ')}. Data is kept for the retention period.\n` }
  } finally {
    stores.close()
  }
}
