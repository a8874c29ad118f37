/** Where somebody is sent after signing in: a page of ours and nothing else. Pure. */

export const HOME_PATH = '/dashboard'

const MOST_CHARACTERS = 500
/** One slash, then what an address is written with; a backslash is a slash to browsers, and controls are nothing to them. */
const PATH = /^\/(?![/\\])[\w\-.~!$&'()*+,;=:@%/?#[\]]*$/
/** Pages that take part in signing in, and what is no page. */
const NOT_THERE = ['/auth/', '/api/', '/internal/']

/** The path where it is one of ours, otherwise the dashboard. */
export function ownPath(next: unknown): string {
  if (typeof next !== 'string' || next.length > MOST_CHARACTERS || !PATH.test(next)) return HOME_PATH
  const base = 'http://own.invalid'
  if (!URL.canParse(next, base)) return HOME_PATH
  const { origin, pathname, search, hash } = new URL(next, base)
  // Dots are resolved by now: what they would have led to is what is looked at, and what is answered.
  if (origin !== base || pathname.startsWith('//') || NOT_THERE.some((path) => `${pathname}/`.startsWith(path))) return HOME_PATH
  return pathname + search + hash
}
