/** Which phexts a key opens. Pure. */

/** The path under which a product speaks SQ's own interface. */
export const SQ_API = '/api/v2/'

/** Whether a product with this public path stores phexts. */
export function hasPhexts(api: string | undefined): boolean {
  return api === SQ_API
}
