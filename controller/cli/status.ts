/** `tenantry status [TENANT]`: what is in force, what waits and why. Reads the store, so it answers with the controller running or not. */
import type { TenantId } from '../core/specs.ts'
import { openStores } from '../installation.ts'
import { shownPath } from '../specs/paths.ts'
import { createStatusReader, summarise, type Overview, type TenantReport } from '../web/status-reader.ts'
import { EXIT, settingsOf, table, UsageError, type Answer, type CliContext } from './context.ts'
import { pokeController } from './run-file.ts'

export async function status(context: CliContext, tenant: string | undefined): Promise<Answer> {
  const { home } = settingsOf(context)
  const running = await pokeController(home)
  const stores = openStores(home)
  try {
    const reader = createStatusReader(stores)
    if (tenant === undefined) return overviewAnswer(reader.overview(), running)
    const report = reader.tenant(tenant as TenantId)
    if (report === undefined) throw new UsageError(`Nothing is known of a tenant ${tenant}. \`tenantry status\` shows what needs attention; a file that was just pushed is seen within a second.`)
    return { json: { running, ...report }, text: tenantText(report) }
  } finally {
    stores.close()
  }
}

function overviewAnswer(overview: Overview, running: boolean): Answer {
  const { tenants, attention, awaitingApproval, revision } = overview
  const lines = [
    `controller  ${running ? 'running' : 'not running; this is what it knew last'}`,
    `revision    ${revision ?? '(none taken in yet)'}`,
    `tenants     ${tenants.total - tenants.retained}: ${tenants.ready} served, ${tenants.notReady} not, ${tenants.held} held; ${tenants.retained} out of service with data kept`,
  ]
  if (attention.length > 0) lines.push('', table([['TENANT', 'PRODUCT', 'REASON', 'WHAT'], ...attention.map(({ tenant, product, reason, message }) => [tenant, product, reason, message])]))
  for (const { revision: held, tenants: waiting } of awaitingApproval) {
    lines.push('', `${waiting.length} removals of revision ${held.slice(0, 12)} wait for a person: ${waiting.slice(0, 10).join(', ')}${waiting.length > 10 ? ', …' : ''}`, `  tenantry approve ${held.slice(0, 12)}`)
  }
  return { json: { running, ...overview }, text: `${lines.join('\n')}\n`, exitCode: awaitingApproval.length > 0 ? EXIT.approvalNeeded : EXIT.done }
}

function tenantText(report: TenantReport): string {
  const { ready, reason, message } = summarise(report)
  const lines = [
    `${report.tenant}  ${report.product}  ${ready ? 'ready' : 'not ready'}  ${reason}${message === '' ? '' : `: ${message}`}`,
    `file       ${shownPath(report.path)}`,
    `applied    ${report.appliedRevision ?? '(never)'}`,
    `attempted  ${report.attemptedRevision ?? '(never)'}`,
  ]
  if (report.status.nextAttemptAt !== undefined) lines.push(`next try   ${report.status.nextAttemptAt} after ${report.status.failures} failures`)
  if (report.dataUntil !== null) lines.push(`data       kept until ${report.dataUntil}`)
  lines.push('', table([['CONDITION', 'STATUS', 'REASON', 'SINCE', 'WHAT'], ...report.status.conditions.map((condition) => [condition.type, String(condition.status), condition.reason, condition.since, condition.message])]))
  for (const { at, action, drift } of report.status.repairs) lines.push('', `repaired ${at} ${action}`, ...drift.map(({ field, wanted, found }) => `  ${field}: wanted ${wanted}, found ${found}`))
  if (report.timeline.length > 0) lines.push('', `timeline  trace ${report.timeline[0]!.trace}`, timelineText(report))
  if (report.history.length > 0) lines.push('', table([['WHEN', 'WHO', 'WHAT', ''], ...report.history.map(({ at, actor, action, detail }) => [at, actor, action, detail])]))
  return `${lines.join('\n')}\n`
}

function timelineText({ timeline }: TenantReport): string {
  const start = Date.parse(timeline[0]!.at)
  return table(timeline.map(({ step, at, detail }) => [`  ${step}`, `+${Date.parse(at) - start} ms`, at, detail ?? '']))
}
