/** `tenantry billing check`: the subscriptions at Stripe beside the repository. The running controller compares; this prints. With --apply a person lets through what it would stop. */
import { adminTokenOf } from '../installation.ts'
import type { BillingCheck } from '../web/billing-admin.ts'
import { EXIT, settingsOf, table, UsageError, type Answer, type CliContext } from './context.ts'
import { readRunFile } from './run-file.ts'

export interface BillingCheckOptions {
  readonly apply?: true
}

export async function billingCheck(context: CliContext, { apply }: BillingCheckOptions): Promise<Answer> {
  const check = (await ask(context, '/api/billing/check', { ...(apply && { apply }), by: context.person.name })) as BillingCheck
  return { json: check, text: textOf(check), exitCode: check.differences.length === 0 ? EXIT.done : EXIT.changes }
}

/** `tenantry billing done ID`: a person has looked at a refund or dispute. */
export async function billingDone(context: CliContext, id: string): Promise<Answer> {
  const json = await ask(context, `/api/billing/cases/${encodeURIComponent(id)}/done`, { by: context.person.name })
  return { json, text: `${id} is done.\n` }
}

async function ask(context: CliContext, at: string, body: object): Promise<unknown> {
  const settings = settingsOf(context)
  const run = readRunFile(settings.home)
  const answer = run && (await fetch(`${run.adminUrl}${at}`, { method: 'POST', headers: { authorization: `Bearer ${adminTokenOf(settings)}`, 'content-type': 'application/json' }, body: JSON.stringify(body) }).catch(() => undefined))
  if (answer === undefined) throw new UsageError('The controller is not running. Start it with `npm start`, then ask in another terminal.')
  const said = (await answer.json()) as { readonly detail?: string }
  if (answer.status === 404) throw new UsageError(said.detail ?? 'There is no such thing.')
  if (!answer.ok) throw new Error(said.detail ?? `the controller answered ${answer.status}`)
  return said
}

function textOf({ differences, healed, heldStops }: BillingCheck): string {
  const lines: string[] = []
  if (healed.length > 0) lines.push(`Put right: ${healed.length}.`, ...healed.map(({ kind, tenant, subject, detail }) => `  ${kind} ${tenant ?? subject}: ${detail}`), '')
  if (differences.length === 0) return `${[...lines, 'Stripe and the repository agree.'].join('\n')}\n`
  lines.push(table([['KIND', 'TENANT', 'SUBJECT', 'SINCE', 'WHAT'], ...differences.map(({ kind, tenant, subject, since, detail }) => [kind, tenant ?? '-', subject, since.slice(0, 16), detail])]))
  if (heldStops !== null) lines.push('', `${heldStops.asked} tenants would be stopped; ${heldStops.allowed} may be by themselves.`)
  lines.push('', 'What is safe is put right by the next comparison. `tenantry billing check --apply` does it now, and lets through what stops tenants.')
  return `${lines.join('\n')}\n`
}
