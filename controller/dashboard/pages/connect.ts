/** `/dashboard/TENANT/connect`: what a program needs, to copy or to download with a key in it. */
import { html, type Html } from '../../web/html.ts'
import { button, codeBlock, emptyState } from '../../web/pages/components.ts'
import type { Page } from '../../web/pages/layout.ts'
import { exampleOf, type ConnectFile } from '../connect-files.ts'
import { addressOf, type TenantView } from '../view.ts'
import { card, csrfField, tenantPage } from './frame.ts'

export interface ConnectParts {
  readonly endpoint: string
  /** Keys that work and whose text can be made again. */
  readonly keys: readonly { readonly id: string; readonly name: string | null; readonly key: string }[]
  /** Keys that work and are known by their digest only. */
  readonly digestOnly: readonly string[]
  readonly chosen: string | undefined
  /** It speaks SQ: the guide's set-ups are for that. */
  readonly speaksSq: boolean
}

export function connectPage(view: TenantView, parts: ConnectParts): Page {
  const { tenant } = view
  const content = html`${card('Where it is', html`<dl class="facts"><div><dt>Endpoint</dt><dd><code>${parts.endpoint}</code></dd></div>
<div><dt>Key</dt><dd>sent as <code>Authorization: Bearer KEY</code></dd></div></dl>`)}
${parts.digestOnly.length > 0 && html`<p class="notice">Of ${parts.digestOnly.length === 1 ? `key ${parts.digestOnly[0]}` : `keys ${parts.digestOnly.join(', ')}`} only the digest is known here, because it was handed out before: it works, but it cannot be shown or put into a file. <a href="${addressOf(tenant, 'keys')}">Make another</a> for that.</p>`}
${tenant.spec.state === 'ended' ? html`<p class="soft">It has ended: no key opens it any more.</p>` : parts.keys.length === 0 ? emptyState('No key to put in', html`<p>Make one, and the set-ups come with it.</p>`, button('Make a key', { href: addressOf(tenant, 'keys') })) : setups(view, parts)}`
  return tenantPage(view, { title: 'Connect', section: 'connect', content })
}

function setups(view: TenantView, parts: ConnectParts): Html {
  const { endpoint } = parts
  if (!parts.speaksSq) return codeBlock({ id: 'call', title: 'Shell', code: `curl -H "Authorization: Bearer $KEY" ${endpoint}` })
  const curl = exampleOf('curl', endpoint)
  return html`${fileCard(view, parts, 'openclaw', 'OpenClaw', 'Download OpenClaw config')}
${fileCard(view, parts, 'mcp', 'MCP', 'Download MCP set-up')}
${card('From the command line', html`<p>${curl.before}</p>${codeBlock({ id: 'curl', title: curl.language, code: curl.code })}`, html`<a href="/guide">Python, TypeScript and more in the guide</a>`)}`
}

function fileCard({ session, tenant }: TenantView, { endpoint, keys, chosen }: ConnectParts, file: ConnectFile, title: string, download: string): Html {
  const { before, code, after, language } = exampleOf(file, endpoint)
  return card(title, html`<p>${before}</p>
<form class="row" method="post" action="${addressOf(tenant, `connect/${file}`)}">${csrfField(session)}<div class="field"><label for="${file}-key">With the key</label><select id="${file}-key" name="key">${keys.map(({ id, name, key }) => html`<option value="${id}"${id === chosen && html` selected`}>${name === null ? id : `${name} (${id})`}, ${key}</option>`)}</select></div><button class="button">${download}</button></form>
<details class="key-more"><summary>See it without a key</summary>${codeBlock({ id: file, title: language, code })}</details>${after !== undefined && html`<p class="soft">${after}</p>`}`)
}
