/** `tenantry explain ID`: why a request was refused: the rule, what was measured, and the commits that set it. The id stands in the refusal's answer. */
import { describeRefusal, findRefusal } from '../gateway/refusal-log.ts'
import type { TenantId } from '../core/specs.ts'
import type { CommitInfo } from '../git/port.ts'
import { settingsOf, UsageError, withInstallation, type Answer, type CliContext } from './context.ts'

const SHOWN_COMMITS = 1

export async function explain(context: CliContext, id: string): Promise<Answer> {
  const refusal = findRefusal(settingsOf(context).home, id)
  if (refusal === undefined) throw new UsageError(`No refusal ${JSON.stringify(id.slice(0, 80))} is remembered. The newest 10,000 are; the id is the requestId of the answer.`)
  const commits = await commitsOf(context, refusal.tenant, refusal.plan)
  const lines = commits.map(({ file, commit }) => `  ${file} was last changed by ${commit.author} at ${commit.authoredAt}: ${commit.subject} (${commit.id.slice(0, 12)})`)
  return { json: { ...refusal, commits }, text: `${[...describeRefusal(refusal), ...lines].join('\n')}\n` }
}

/** The last commit of the tenant's and of the plan's file: one of them set the rule. */
async function commitsOf(context: CliContext, tenant: string, plan: string): Promise<{ file: string; commit: CommitInfo }[]> {
  if (tenant === '') return []
  return withInstallation(context, async ({ source, catalog, repository }) => {
    await source.sync()
    const files = [catalog.pathOf(tenant as TenantId), `plans/${plan}.yaml`].filter((file) => file !== undefined)
    const logs = await Promise.all(files.map(async (file) => (await repository.log(file, SHOWN_COMMITS)).map((commit) => ({ file, commit }))))
    return logs.flat()
  })
}
