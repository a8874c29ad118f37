/** The frame of the account pages. No script, no outside request. */
import type { FastifyReply } from 'fastify'
import { escapeHtml } from '../web/html.ts'

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
const STYLE =
  ':root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:3rem auto;padding:0 1rem}label{display:block;margin:.8rem 0 .2rem}input{font:inherit;width:100%;box-sizing:border-box;padding:.5rem}button,.button{font:inherit;margin:1rem 0;padding:.5rem 1rem;cursor:pointer}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4rem .6rem .4rem 0}.error{border-left:.25rem solid #c33;padding-left:.8rem}'

/** `body` is HTML already. */
export function sendPage(reply: FastifyReply, title: string, body: string): FastifyReply {
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title><style>${STYLE}</style></head>
<body><main><h1>${escapeHtml(title)}</h1>
${body}</main></body></html>
`
  // A link's token stands in the address of its page: no other site is told where a request came from.
  return reply.type('text/html; charset=utf-8').headers({ 'content-security-policy': POLICY, 'referrer-policy': 'same-origin', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }).send(html)
}
