/** Values from files, as a message may show them: short, on one line, and never a secret. */
import { quote } from './field.ts'

/** For messages: the kind of a value and, where it is short and no secret, the value. */
export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (typeof value === 'string') return looksSecret(value) ? 'text' : `the text ${quote(value)}`
  if (typeof value === 'number' && !Number.isFinite(value)) return 'a number that is not finite'
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return Array.isArray(value) ? 'a list' : 'a map of fields'
}

/** Live keys and tokens must not reach a message, nor a log. Hex longer than a nonce may be part of a key. */
export function looksSecret(text: string): boolean {
  return /pmb-|(?:sk|rk)_(?:live|test)_|whsec_|[0-9a-f]{33}|PRIVATE KEY/i.test(text)
}
