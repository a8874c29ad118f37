/**
 * One look for every mail: a letter is a list of blocks, and both its parts, text and HTML, are made of the same blocks, so that they
 * say the same. No pictures, no outside requests, light colours only: mail programs make dark ones of them by themselves.
 */
import { escapeHtml } from '../web/html.ts'

export type Block =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'facts'; readonly rows: readonly (readonly [name: string, value: string])[] }
  | { readonly kind: 'link'; readonly label: string; readonly url: string }

export interface Letter {
  readonly subject: string
  readonly heading: string
  readonly blocks: readonly Block[]
}

/** Who writes: what stands round every letter. */
export interface Letterhead {
  /** The product's title, or the seller's name. */
  readonly name: string
  /** `#rrggbb`, on which white can be read. */
  readonly accent: string
  /** Why the reader has this mail. */
  readonly because: string
  readonly support: string | undefined
  /** Where the reader can say that no more such mail is wanted; absent in what is essential. */
  readonly unsubscribeUrl: string | undefined
}

export function letterText({ heading, blocks }: Letter, head: Letterhead): string {
  const body = [heading, ...blocks.map(blockText)].join('\n\n')
  return `${body}\n\n-- \n${[head.name, ...footer(head).map(({ text, url }) => (url === undefined ? text : `${text}: ${url}`))].join('\n')}\n`
}

function blockText(block: Block): string {
  if (block.kind === 'text') return block.text
  if (block.kind === 'link') return `${block.label}:\n${block.url}`
  const width = Math.max(...block.rows.map(([name]) => name.length))
  return block.rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n')
}

interface FooterLine {
  readonly text: string
  readonly url?: string
}

function footer({ because, support, unsubscribeUrl }: Letterhead): FooterLine[] {
  return [{ text: because }, ...(support === undefined ? [] : [{ text: 'Questions', url: support }]), ...(unsubscribeUrl === undefined ? [] : [{ text: 'No more hints like this', url: unsubscribeUrl }])]
}

const FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
const INK = '#1d2433'
const SOFT = '#5b6577'
const LINE = '#e1e5ec'
const GROUND = '#f4f6f9'

export function letterHtml({ subject, heading, blocks }: Letter, head: Letterhead): string {
  const { name, accent } = head
  const lead = blocks.find((block) => block.kind === 'text')?.text ?? heading
  const foot = footer(head).map(({ text, url }) => (url === undefined ? escapeHtml(text) : `<a href="${escapeHtml(url)}" style="color:${SOFT}">${escapeHtml(text)}</a>`)).join('<br>')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light">
<title>${escapeHtml(subject)}</title>
</head>
<body style="margin:0;padding:0;background:${GROUND}">
<div style="display:none;max-height:0;overflow:hidden">${escapeHtml(lead)}</div>
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="background:${GROUND}"><tr><td align="center" style="padding:32px 16px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="max-width:560px;background:#ffffff;border:1px solid ${LINE};border-radius:12px">
<tr><td style="padding:24px 32px 0;${FONT};font-size:14px;font-weight:600;color:${INK}"><span style="display:inline-block;width:10px;height:10px;border-radius:3px;background:${accent};margin-right:8px"></span>${escapeHtml(name)}</td></tr>
<tr><td style="padding:16px 32px 8px;${FONT};color:${INK}">
<h1 style="margin:0 0 16px;font-size:22px;line-height:1.3;font-weight:650">${escapeHtml(heading)}</h1>
${blocks.map((block) => blockHtml(block, accent)).join('\n')}
</td></tr>
<tr><td style="padding:8px 32px 24px"><div style="border-top:1px solid ${LINE};padding-top:16px;${FONT};font-size:13px;line-height:1.6;color:${SOFT}">${foot}</div></td></tr>
</table>
</td></tr></table>
</body>
</html>
`
}

function blockHtml(block: Block, accent: string): string {
  if (block.kind === 'text') return `<p style="margin:0 0 16px;font-size:16px;line-height:1.55">${escapeHtml(block.text)}</p>`
  if (block.kind === 'link') {
    return `<p style="margin:8px 0 24px"><a href="${escapeHtml(block.url)}" style="display:inline-block;padding:12px 20px;border-radius:8px;background:${accent};color:#ffffff;font-size:16px;font-weight:600;text-decoration:none">${escapeHtml(block.label)}</a></p>`
  }
  const rows = block.rows.map(([name, value]) => `<tr><td style="padding:8px 16px 8px 0;border-top:1px solid ${LINE};color:${SOFT};font-size:14px;vertical-align:top">${escapeHtml(name)}</td><td style="padding:8px 0;border-top:1px solid ${LINE};font-size:14px;word-break:break-word">${escapeHtml(value)}</td></tr>`)
  return `<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="margin:0 0 20px">${rows.join('')}</table>`
}
