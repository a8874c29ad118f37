/** What `tenantry import` answers: who became what, what stands in the way, and what a person should see to afterwards. Shows no key, not even where a folder is named after one. */
import { printable, type ImportFile } from '../core/import-file.ts'
import { placeholderEmail, type ImportPlan } from '../core/import-plan.ts'
import type { Product, SharedSqRun } from '../core/specs.ts'
import { answeringPorts, sqsOn } from '../sq/still-running.ts'
import { EXIT, table, type Answer } from './context.ts'

export interface ImportOutcome {
  readonly plan: ImportPlan
  readonly product: Product
}

export interface ImportReport extends ImportOutcome {
  readonly file: string
  readonly source: ImportFile
  /** Bytes by folder. */
  readonly sizes: ReadonlyMap<string, number>
  readonly dryRun: boolean
  readonly revision: string | undefined
}

const BYTES_PER_MB = 1024 * 1024
/** A shorter key can be found by trying, once somebody has its digest. */
const SHORTEST_STRONG_KEY = 20
const SHORTEST_HIDDEN = 8
const LOST_WRITES = 'Stop it now: of two that write the same files each loses the other’s writes.'

export async function warningsFor({ plan: { tenants }, source: { entries }, sizes }: ImportReport): Promise<string[]> {
  if (tenants.length === 0) return []
  const running = await sqsOn(new Set([...tenants.map(({ folder }) => folder), ...entries.flatMap(({ dataDir }) => dataDir ?? [])]))
  const ports = await answeringPorts(entries.flatMap(({ port }) => port ?? []))
  const weak = entries.filter(({ token }) => token.length < SHORTEST_STRONG_KEY)
  const nameless = tenants.filter(({ tenant }) => tenant.spec.owner.email === placeholderEmail(tenant.metadata.name))
  const full = tenants.filter(({ folder, storageMb }) => storageMb !== undefined && (sizes.get(folder) ?? 0) > storageMb * BYTES_PER_MB)
  return [
    ...running.map(({ pid, on, folders }) => `An SQ still runs on ${folders.length === 1 ? 'one' : folders.length} of these folders (process ${pid}, ${on}). ${LOST_WRITES}`),
    ...(ports.length === 0 ? [] : [`Something still answers on port ${ports.join(', ')}, where customers’ SQs are by the file. ${LOST_WRITES}`]),
    ...(weak.length === 0 ? [] : [`${weak.map(({ at }) => at).join(', ')}: the key has fewer than ${SHORTEST_STRONG_KEY} characters. Whoever reads its digest in the repository may find it by trying: give these customers new keys.`]),
    ...(nameless.length === 0 ? [] : [`${nameless.length} of them had no address and got one that goes nowhere. Set it with \`tenantry set TENANT owner.email=…\`.`]),
    ...(full.length === 0 ? [] : [`${full.map(({ tenant }) => tenant.metadata.name).join(', ')}: more is stored than may be, so that writes are refused. \`tenantry set TENANT limits.storageMb=…\` changes that.`]),
  ]
}

export function answerOf(report: ImportReport, warnings: readonly string[]): Answer {
  const { file, source, product, dryRun, revision, sizes } = report
  const hide = keysHidden(source)
  const { tenants, already } = report.plan
  const clashes = report.plan.clashes.map(({ at, message, fix }) => ({ at, message: hide(message), fix: hide(fix) }))
  const data = (product.spec.run as SharedSqRun).engine === 'docker' ? 'moved' : 'linked'
  const rows = tenants.map(({ name, tenant: { metadata, spec }, digests, folder }) => ({ name, tenant: metadata.name, username: spec.owner.username ?? null, plan: spec.plan, state: spec.state, keys: digests.length, bytes: sizes.get(folder) ?? 0, folder: hide(folder), data }))
  const json = { file, format: source.format, product: product.metadata.name, dryRun, revision: revision ?? null, tenants: rows, already: already.map(({ name, tenant }) => ({ name, tenant })), clashes, warnings }
  if (clashes.length > 0) return { json, text: clashText(file, clashes), exitCode: EXIT.invalid }
  return { json, text: doneText(rows, report, warnings) }
}

function clashText(file: string, clashes: ImportPlan['clashes']): string {
  const lines = clashes.map(({ at, message, fix }) => `${file}: ${at}: ${message}. ${fix}`.trimEnd())
  return `${lines.join('\n')}\n${clashes.length} ${clashes.length === 1 ? 'thing stands' : 'things stand'} in the way; nothing was changed.\n`
}

interface Row {
  readonly name: string
  readonly tenant: string
  readonly plan: string
  readonly keys: number
  readonly bytes: number
  readonly folder: string
}

function doneText(rows: readonly Row[], { plan: { already }, dryRun, revision }: ImportReport, warnings: readonly string[]): string {
  const list = table([['WAS', 'TENANT', 'PLAN', 'KEYS', 'MB', 'DATA'], ...rows.map(({ name, tenant, plan, keys, bytes, folder }) => [printable(name), tenant, plan, String(keys), (bytes / BYTES_PER_MB).toFixed(1), folder])])
  return [
    ...(rows.length === 0 ? [] : [list]),
    ...(already.length === 0 ? [] : [`${already.length} ${already.length === 1 ? 'is a tenant' : 'are tenants'} already.`]),
    endOf(rows.length, dryRun, revision),
    ...warnings.map((warning) => `warning: ${warning}`),
    '',
  ].join('\n')
}

function endOf(count: number, dryRun: boolean, revision: string | undefined): string {
  if (dryRun) return `${count} would become tenants; nothing was changed.`
  if (revision === undefined) return 'Nothing was committed.'
  return `${count} became ${count === 1 ? 'a tenant' : 'tenants'} (commit ${revision.slice(0, 12)}). Their keys work as soon as they are served: \`tenantry status\`.`
}

/** Some name their folders after the keys. What is shorter is a word. */
function keysHidden({ entries }: ImportFile): (text: string) => string {
  const shown = entries.flatMap(({ token, dataDir }) => (token.length >= SHORTEST_HIDDEN && dataDir?.includes(token) ? [token] : []))
  return (text) => shown.reduce((hidden, token) => hidden.replaceAll(token, '…'), text)
}
