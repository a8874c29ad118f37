/** The look of the sandbox's own pages: plain HTML, nothing from outside, plainly no real money. */
import type { FastifyReply } from 'fastify'

export function formatAmount(amount: number, currency: string): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency })
  return format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2))
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1d2433; --soft: #5b6577; --line: #d9dee7; --card: #fff; --ground: #f3f5f9; --accent: #2f5bd7; --note: #fff3d6; --note-ink: #6b4a00 }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf2; --soft: #a2abbd; --line: #343c4c; --card: #1b212c; --ground: #10141c; --accent: #7f9ffa; --note: #3a2f12; --note-ink: #f4d68b } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
main { width: 100%; max-width: 26rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px; overflow: hidden }
.note { margin: 0; padding: .75rem 1.5rem; background: var(--note); color: var(--note-ink); font-size: .9rem }
.body { padding: 1.5rem }
h1 { margin: 0 0 1rem; font-size: 1.35rem; line-height: 1.25 }
dl { margin: 0 0 1.5rem }
dl div { display: flex; justify-content: space-between; gap: 1rem; padding: .55rem 0; border-bottom: 1px solid var(--line) }
dt { color: var(--soft) }
dd { margin: 0; text-align: right; overflow-wrap: anywhere }
form { display: grid; gap: .6rem }
button { font: inherit; font-weight: 600; padding: .7rem; border-radius: 8px; border: 1px solid var(--accent); background: var(--accent); color: var(--card); cursor: pointer }
button.quiet { background: none; color: var(--ink); border-color: var(--line); font-weight: 400 }
button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
`

/** `formTargets`: where the form's answer may redirect to, which a content security policy counts as the form's own target. */
export function sendPage(reply: FastifyReply, status: number, title: string, body: string, formTargets: readonly (string | null)[] = []): FastifyReply {
  const origins = formTargets.flatMap((url) => (url !== null && URL.canParse(url) ? new URL(url).origin : []))
  const policy = `default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self' ${[...new Set(origins)].join(' ')}`.trim()
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)} (sandbox)</title><style>${STYLE}</style>
</head>
<body><main>
<p class="note"><strong>Sandbox.</strong> No card is asked for and no money moves.</p>
<div class="body"><h1>${escape(title)}</h1>${body}</div>
</main></body>
</html>
`
  const headers = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }
  return reply.code(status).headers(headers).send(html)
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

export function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!)
}
