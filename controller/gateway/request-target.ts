/** The request's target as the gateway reads it: where the path ends, and what may never be reached from outside. Pure. */

export interface Target {
  /** Path and query, beginning with a slash, as they came. */
  readonly full: string
  readonly path: string
}

const ABSOLUTE = /^https?:\/\/[^/?#]*/i
/** Blanks and control characters would end the request line early for somebody. Written as a negation: what is visible or not ASCII. */
const VISIBLE = /^[\x21-\x7e\x80-\xff]+$/

/** Undefined for what is no path, such as `*`. A proxy's absolute form is taken for its path. */
export function parseTarget(url: string): Target | undefined {
  let full = url
  if (!full.startsWith('/')) {
    if (!ABSOLUTE.test(full)) return undefined
    full = full.replace(ABSOLUTE, '')
    if (!full.startsWith('/')) full = `/${full}`
  }
  if (!VISIBLE.test(full)) return undefined
  const end = full.search(/[?#]/)
  return { full, path: end === -1 ? full : full.slice(0, end) }
}

/**
 * Whether a path may mean the controller's `/internal/…` to any reader: after decoding, dots and doubled or reversed slashes. What
 * cannot be decoded counts as internal, since it means nothing anyway.
 */
export function isInternal(path: string): boolean {
  let decoded: string
  try {
    decoded = decodeURIComponent(path)
  } catch {
    return true
  }
  const parts: string[] = []
  for (const part of decoded.toLowerCase().split(/[/\\]+/)) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return parts[0]?.split(/[;?#]/)[0] === 'internal'
}
