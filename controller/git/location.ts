/**
 * Reads where the tenant repository is: a folder on this machine, or a URL. Refuses what git would run as a command
 * (`ext::…`, `-option`), and takes credentials out of the URL: they never reach an argument list, a file or a message.
 */
import path from 'node:path'

export interface Credentials {
  readonly username: string
  readonly password: string
}

export type Location =
  | { readonly kind: 'local'; readonly folder: string }
  | { readonly kind: 'remote'; readonly url: string; readonly credentials?: Credentials }

const ALLOWED_SCHEMES = ['https:', 'http:', 'ssh:', 'file:']

/** For `GIT_ALLOW_PROTOCOL`, so that a redirect or a rewriting rule can't bring in another one. */
export const ALLOWED_PROTOCOLS = ALLOWED_SCHEMES.map((scheme) => scheme.slice(0, -1)).join(':')

/** Puts `***` in the place of every `user:password@` of a text that may be shown. */
export function redact(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^/\s]*@/gi, '$1***@')
}

/** Throws where git would take the text for something else than a repository. */
export function parseLocation(text: string): Location {
  if (text === '') throw new Error('The tenant repository has no location: set TENANTRY_REPOSITORY to a folder or a URL.')
  if (text.startsWith('-')) throw refused(text, 'it starts with "-", which git reads as an option')
  if (/[\0\r\n]/.test(text)) throw refused(text, 'it contains a line break')
  if (/^[a-z0-9+.-]*::/i.test(text)) throw refused(text, 'git would run it as a command')
  if (text.includes('://')) return parseUrl(text)
  // git's own rule for `user@host:path`: a colon before the first slash.
  if (/^[^/]+:/.test(text)) return parseScpLike(text)
  return { kind: 'local', folder: path.resolve(text) }
}

function parseUrl(text: string): Location {
  if (!URL.canParse(text)) throw refused(text, 'it is not a URL')
  const url = new URL(text)
  if (!ALLOWED_SCHEMES.includes(url.protocol)) throw refused(text, `"${url.protocol}" is not one of ${ALLOWED_SCHEMES.join(' ')}`)
  if (url.hostname.startsWith('-')) throw refused(text, 'its host starts with "-"')
  if (url.protocol === 'ssh:') {
    if (url.password !== '') throw refused(text, 'ssh takes no password in a URL: use a key')
    if (url.username.startsWith('-')) throw refused(text, 'its user starts with "-"')
    return { kind: 'remote', url: text }
  }
  if (url.username === '' && url.password === '') return { kind: 'remote', url: text }
  // A user name alone is often a token (`https://TOKEN@host/…`), so it counts as a secret too.
  const credentials = { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) }
  url.username = ''
  url.password = ''
  return { kind: 'remote', url: url.href, credentials }
}

function parseScpLike(text: string): Location {
  const host = text.slice(0, text.indexOf(':')).split('@').at(-1)!
  if (host === '' || host.startsWith('-')) throw refused(text, 'it names no host')
  return { kind: 'remote', url: text }
}

function refused(text: string, why: string): Error {
  return new Error(`The tenant repository "${redact(text)}" is refused: ${why}. Set TENANTRY_REPOSITORY to a folder, or to a URL with https, ssh or file.`)
}
