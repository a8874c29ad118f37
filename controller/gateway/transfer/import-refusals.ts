/** The refusals of export and import, and how a report of an import that did not take everything becomes one. Pure. */
import type { Refusal } from '../refusal.ts'
import type { ImportReport } from './import-archive.ts'

export const TRANSFER_REFUSALS = {
  exportByGet: { status: 405, code: 'method-not-allowed', title: 'An export is read', detail: 'Use GET.', headers: ['Allow', 'GET'] },
  importByPost: { status: 405, code: 'method-not-allowed', title: 'An import is sent', detail: 'Use POST, with the archive as the body.', headers: ['Allow', 'POST'] },
  busy: {
    status: 503,
    code: 'transfer-busy',
    title: 'Another export or import is under way',
    detail: 'Only few run at a time, and one for an account. Nothing was done. Try again when it has ended.',
    retryAfterSeconds: 10,
  },
  notListedNow: {
    status: 503,
    code: 'export-not-now',
    title: 'The phexts of this instance cannot be listed now',
    detail: 'What looks into an instance of your own is away for a moment; what is stored can be read and written as always. Try the export again.',
    retryAfterSeconds: 10,
  },
  notListed: {
    status: 501,
    code: 'export-not-supported',
    title: 'The phexts of this instance cannot be listed',
    detail: 'SQ has no call that lists phexts, and the data of this instance does not lie where the gateway can see it. Fetch each phext by its name with GET /api/v2/get?p=NAME, or ask the operator for an export.',
  },
} as const satisfies Record<string, Refusal>

const SHOWN_NAMES = 20

/** Undefined where everything is there now. What was done stays done, so that the same archive can be sent again. */
export function refusalOf(report: ImportReport, damaged: boolean): Refusal | undefined {
  const { stoppedBy, different, rejected } = report
  const done = `${report.imported.length} phexts were imported, ${report.replaced.length} replaced, ${report.unchanged.length} were there already.`
  const lists = { imported: report.imported, unchanged: report.unchanged, replaced: report.replaced, different, rejected }
  if (stoppedBy !== undefined) return { ...stoppedBy, detail: `${stoppedBy.detail} ${done} Send the same archive again to go on.`, lists }
  if (damaged) {
    return { status: 400, code: 'archive-damaged', title: 'The archive is damaged or ends in the middle', detail: `A tar archive as /api/v2/export gives it is expected, not compressed. ${done} Send it again, whole.`, lists }
  }
  if (rejected.length > 0) {
    const which = some(rejected.map(({ name, reason }) => `${JSON.stringify(name)} (${reason})`))
    return { status: 422, code: 'phexts-rejected', title: 'Some phexts could not be taken', detail: `Not taken: ${which}. ${done}`, lists }
  }
  if (different.length > 0) {
    const which = some(different.map((name) => JSON.stringify(name)))
    return { status: 409, code: 'phexts-differ', title: 'Some phexts are there with another text', detail: `Left as they are: ${which}. ${done} Send it again with ?replace=1 to replace them.`, lists }
  }
  return undefined
}

function some(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN_NAMES).join(', ')
  return names.length > SHOWN_NAMES ? `${shown} and ${names.length - SHOWN_NAMES} more` : shown
}
