/** The mail that the sandbox would have sent: a list, and each of them as its reader would see it. Nothing in a mail runs or fetches. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { FastifyPluginAsync, FastifyReply } from 'fastify'
import { simpleParser, type ParsedMail } from 'mailparser'
import { escape } from './page.ts'

interface ByName {
  readonly Params: { readonly name: string }
}

const SHOWN = 100

export function createMailPage(folder: string): FastifyPluginAsync {
  const names = (): string[] => listMails(folder)
  /** A name that stands in the list, so that no other file is ever read. */
  const read = async (name: string): Promise<ParsedMail | undefined> => (names().includes(name) ? simpleParser(readFileSync(path.join(folder, name))) : undefined)
  return async (app) => {
    app.get('/mail', async (_request, reply) => {
      const shown = names().slice(0, SHOWN)
      const mails = await Promise.all(shown.map(async (name) => ({ name, mail: (await read(name))! })))
      return sendPage(reply, 'Mail', mails.length === 0 ? '<p class="empty">No mail yet. What the shop writes to its customers is shown here.</p>' : `<ul>${mails.map(({ name, mail }) => row(name, mail)).join('')}</ul>`)
    })
    app.get<ByName>('/mail/:name', async (request, reply) => {
      const mail = await read(request.params.name)
      return mail === undefined ? missing(reply) : sendPage(reply, mail.subject ?? 'Mail', whole(request.params.name, mail))
    })
    app.get<ByName>('/mail/:name/html', async (request, reply) => {
      const mail = await read(request.params.name)
      if (mail === undefined || typeof mail.html !== 'string') return missing(reply)
      // Links open beside the page; the sandbox of the policy keeps everything else from running, wherever this is opened.
      const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
      return reply.headers({ ...HEADERS, 'content-security-policy': policy }).send(mail.html.replaceAll('<a ', '<a target="_blank" rel="noreferrer" '))
    })
  }
}

/** Newest first. */
function listMails(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => /^[\w-]+\.eml$/.test(name)).sort().reverse()
  } catch {
    return []
  }
}

function row(name: string, mail: ParsedMail): string {
  return `<li><a href="/mail/${escape(name)}">${escape(mail.subject ?? 'without a subject')}</a><span>${escape(receiver(mail))}</span><time>${escape(mail.date?.toISOString().slice(0, 19).replace('T', ' ') ?? '')}</time></li>`
}

function whole(name: string, mail: ParsedMail): string {
  const decline = /<(https?:[^>]+)>/.exec(mail.headerLines.find(({ key }) => key === 'list-unsubscribe')?.line.replace(/\r?\n[ \t]+/g, '') ?? '')?.[1]
  const rows = [['From', mail.from?.text ?? ''], ['To', receiver(mail)], ['Date', mail.date?.toUTCString() ?? ''], ['Id', mail.messageId ?? ''], ...(decline === undefined ? [] : [['Unsubscribe', decline]])]
  const head = rows.map(([term, value]) => `<div><dt>${escape(term!)}</dt><dd>${term === 'Unsubscribe' ? link(value!) : escape(value!)}</dd></div>`).join('')
  const frame = typeof mail.html === 'string' ? `<iframe title="The mail as it looks" sandbox="allow-popups allow-popups-to-escape-sandbox" src="/mail/${escape(name)}/html"></iframe>` : ''
  return `<p><a href="/mail">All mail</a></p><dl>${head}</dl>${frame}<h2>As text</h2><pre>${linked(mail.text ?? '')}</pre>`
}

function receiver({ to }: ParsedMail): string {
  return (Array.isArray(to) ? to : to === undefined ? [] : [to]).map(({ text }) => text).join(', ')
}

function linked(text: string): string {
  return text.split(/(https?:\/\/[^\s<>"]+)/).map((part, index) => (index % 2 === 1 ? link(part) : escape(part))).join('')
}

function link(url: string): string {
  return `<a href="${escape(url)}">${escape(url)}</a>`
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1d2433; --soft: #5b6577; --line: #d9dee7; --card: #fff; --ground: #f3f5f9; --accent: #2f5bd7; --note: #fff3d6; --note-ink: #6b4a00 }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf2; --soft: #a2abbd; --line: #343c4c; --card: #1b212c; --ground: #10141c; --accent: #7f9ffa; --note: #3a2f12; --note-ink: #f4d68b } }
* { box-sizing: border-box }
body { margin: 0; padding: 2rem 1rem; background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
main { max-width: 46rem; margin: 0 auto; background: var(--card); border: 1px solid var(--line); border-radius: 12px; overflow: hidden }
.note { margin: 0; padding: .75rem 1.5rem; background: var(--note); color: var(--note-ink); font-size: .9rem }
.body { padding: 1.5rem }
h1 { margin: 0 0 1rem; font-size: 1.35rem }
h2 { font-size: 1rem; margin: 1.5rem 0 .5rem }
a { color: var(--accent) }
ul { list-style: none; margin: 0; padding: 0 }
li { display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: .7rem 0; border-top: 1px solid var(--line) }
li a { flex: 1 1 16rem }
li span, li time, .empty { color: var(--soft); font-size: .9rem }
dl { margin: 0 0 1rem; font-size: .9rem }
dl div { display: flex; gap: 1rem; padding: .25rem 0 }
dt { width: 6rem; color: var(--soft) }
dd { margin: 0; overflow-wrap: anywhere }
iframe { width: 100%; height: 42rem; border: 1px solid var(--line); border-radius: 8px; background: #f4f6f9 }
pre { margin: 0; padding: 1rem; border: 1px solid var(--line); border-radius: 8px; white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem }
`
const HEADERS = { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', 'referrer-policy': 'no-referrer', 'x-content-type-options': 'nosniff' }
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

function missing(reply: FastifyReply): FastifyReply {
  return sendPage(reply.code(404), 'No such mail', '<p><a href="/mail">All mail</a></p>')
}

function sendPage(reply: FastifyReply, title: string, body: string): FastifyReply {
  const html = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escape(title)} (sandbox)</title><style>${STYLE}</style></head>
<body><main>
<p class="note"><strong>Sandbox.</strong> This mail was written, and sent to nobody.</p>
<div class="body"><h1>${escape(title)}</h1>${body}</div>
</main></body>
</html>
`
  return reply.headers({ ...HEADERS, 'content-security-policy': POLICY }).send(html)
}
