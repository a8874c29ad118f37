/**
 * `/unsubscribe?t=TOKEN`: a reader declines hints, with the button of the mail program (RFC 8058) or on the page, and takes it back
 * there. A GET changes nothing, since programs that look at mail follow every link. What is in the body does not matter: the token
 * says who, the address says what.
 */
import type { FastifyPluginAsync, FastifyReply } from 'fastify'
import { escapeHtml } from '../web/html.ts'
import type { AddressBook } from './addresses.ts'

interface Asked {
  readonly Querystring: { readonly t?: string; readonly again?: string }
}

const BODY_BYTES = 4096

export function createUnsubscribeRoutes(addresses: AddressBook): FastifyPluginAsync {
  return async (parent) => {
    await parent.register(async (app) => {
      app.removeAllContentTypeParsers()
      app.addContentTypeParser('*', { parseAs: 'string', bodyLimit: BODY_BYTES }, (_request, body, done) => done(null, body))
      app.get<Asked>('/unsubscribe', (request, reply) => show(reply, addresses, request.query.t))
      app.post<Asked>('/unsubscribe', (request, reply) => {
        const id = addresses.read(String(request.query.t ?? ''))
        if (id !== undefined && request.query.again === undefined) addresses.decline(id)
        else if (id !== undefined) addresses.accept(id)
        return show(reply, addresses, request.query.t)
      })
    })
  }
}

function show(reply: FastifyReply, addresses: AddressBook, given: string | undefined): FastifyReply {
  const token = String(given ?? '')
  const id = addresses.read(token)
  if (id === undefined) return send(reply, 404, 'This link is not valid', '<p>It may be cut off. Copy the whole address from the mail, to its end.</p>')
  const to = `/unsubscribe?t=${encodeURIComponent(token)}`
  if (addresses.isDeclined(id)) return send(reply, 200, 'No more hints', `<p>You get no more hints about quotas and replaced keys. Mail about payments, and about the end of service and data, still comes.</p>${button(`${to}&again=1`, 'Send me hints again')}`)
  return send(reply, 200, 'Hints by mail', `<p>You get a mail when a quota is nearly used up, and when a key that was replaced is still in use.</p>${button(to, 'No more hints')}`)
}

function button(action: string, label: string): string {
  return `<form method="post" action="${escapeHtml(action)}"><button>${escapeHtml(label)}</button></form>`
}

const STYLE = ':root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:30rem;margin:4rem auto;padding:0 1.25rem}h1{font-size:1.5rem}button{font:inherit;padding:.6rem 1rem;border-radius:8px;border:1px solid currentColor;background:none;color:inherit;cursor:pointer}'
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

function send(reply: FastifyReply, status: number, title: string, body: string): FastifyReply {
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escapeHtml(title)}</title><style>${STYLE}</style></head>
<body><main><h1>${escapeHtml(title)}</h1>${body}</main></body></html>
`
  return reply.code(status).headers({ 'content-type': 'text/html; charset=utf-8', 'content-security-policy': POLICY, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }).send(html)
}
