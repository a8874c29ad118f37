/** A refusal as a page, for people in a browser; programs get the same as `application/problem+json`. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { html } from '../html.ts'
import type { ProblemDetails } from '../http-problem.ts'
import { button } from './components.ts'
import type { Pages } from './pages.ts'

const TITLES: Readonly<Record<number, string>> = { 404: 'This page does not exist', 429: 'A little too fast', 500: 'Something broke on our side', 502: 'The payment page did not answer', 503: 'Not available right now' }
const TEXTS: Readonly<Record<number, string>> = {
  404: 'The address may be mistyped, or the page has moved. Nothing is lost.',
  500: 'It is noted and will be looked at. Your data and your instance are not touched by this. Please try again in a moment.',
}

export function sendProblemPage(pages: Pages, request: FastifyRequest, reply: FastifyReply, details: ProblemDetails): FastifyReply {
  const { status, detail } = details
  const title = TITLES[status] ?? details.title
  const main = html`<div class="wrap narrow page"><div class="state"><p class="eyebrow">${status}</p><h1>${title}</h1><p>${TEXTS[status] ?? detail}</p>
<div class="row">${button('To the front page', { href: '/' })}${button('Get help', { href: '/support', kind: 'quiet' })}</div></div></div>`
  return pages.send(reply, { title, brand: pages.brand(request, pages.front(request)), main, personal: true }, { status })
}

/** Whether a person looks at the answer. An API's answers stay what its programs expect. */
export function wantsPage({ headers, url }: FastifyRequest): boolean {
  return headers.accept?.includes('text/html') === true && !url.startsWith('/api/')
}
