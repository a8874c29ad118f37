/** Which phexts a key opens. Pure. */

/** The path under which a product speaks SQ's own interface. */
export const SQ_API = '/api/v2/'

/** Whether a product with this public path stores phexts. */
export function hasPhexts(api: string | undefined): boolean {
  return api === SQ_API
}

/** Names and their texts lie beside the phext that they belong to, and open with it. */
const BESIDE = /~(?:names|text)$/

/** Whether a key that opens only these opens this one. `phext` is the name as SQ reads it: empty where a call names none. */
export function phextOpens(open: readonly string[], phext: string): boolean {
  return open.includes(phext) || open.includes(phext.replace(BESIDE, ''))
}
