/** Points in time as files have them. */
import type { Timestamp } from './specs.ts'

/** Of a date, or of milliseconds since 1970: in UTC with whole seconds, cut off: `2026-02-12T13:15:00Z`. */
export function timestampOf(at: Date | number): Timestamp {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
}
