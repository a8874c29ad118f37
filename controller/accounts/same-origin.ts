/**
 * Whether a page of another site may have sent a request. Browsers say it themselves (Sec-Fetch-Site, Origin) and let no page change what
 * they say; programs that are no browsers say nothing, and carry no cookie that somebody else could make use of.
 */
import type { FastifyRequest } from 'fastify'
import { HttpProblem } from '../web/http-problem.ts'

/** @throws HttpProblem 403 `csrf`. */
export function requireSameOrigin({ headers }: Pick<FastifyRequest, 'headers'>, publicUrl: string): void {
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') throw otherSite()
  const { origin } = headers
  if (origin === undefined) return
  // The gateway says what host was asked for; where a proxy before it says another one, PUBLIC_URL holds.
  const host = headers['x-forwarded-host'] ?? headers.host
  if (!isOrigin(origin, publicUrl) && hostOf(origin) !== host) throw otherSite()
}

function isOrigin(origin: string, publicUrl: string): boolean {
  return URL.canParse(publicUrl) && new URL(publicUrl).origin === origin
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}

export function otherSite(): HttpProblem {
  return new HttpProblem({ status: 403, code: 'csrf', title: 'Refused', detail: 'This form may have been sent by another site. Open the page again and send it from there.' })
}
