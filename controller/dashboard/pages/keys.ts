/** `/dashboard/TENANT/keys`: the tree of keys with what each may and when it was used, and the forms that change it. */
import type { KeyView } from '../../agent-keys/agent-keys.ts'
import { describeAccess } from '../../core/key-tree.ts'
import type { Timestamp } from '../../core/specs.ts'
import { countWords, dayWords, timeWords } from '../../core/wording.ts'
import { html, type Html, type HtmlPart } from '../../web/html.ts'
import { badge, button, copyButton, field, type Tone } from '../../web/pages/components.ts'
import type { Page } from '../../web/pages/layout.ts'
import type { KeyForm } from '../key-form.ts'
import { addressOf, type TenantView } from '../view.ts'
import { actionForm, card, csrfField, tenantPage } from './frame.ts'

export interface KeysParts {
  /** Parents before children. */
  readonly keys: readonly (KeyView & { readonly depth: number })[]
  /** Whose revocation can be taken back, until when. */
  readonly undoable: ReadonlyMap<string, Timestamp>
  /** Just made: shown this once. */
  readonly fresh?: { readonly id: string; readonly text: string }
  /** A form that was not in order, as it was sent. */
  readonly form?: KeyForm
  readonly errors?: Readonly<Record<string, string>>
  /** Whether the product has phexts that a key can be kept to. */
  readonly hasPhexts: boolean
}

export function keysPage(view: TenantView, parts: KeysParts): Page {
  const { tenant } = view
  // One that was revoked just now stays where it was until that is final.
  const isOpen = ({ id, state }: KeyView): boolean => state === 'live' || state === 'expiring' || parts.undoable.has(id)
  const open = parts.keys.filter(isOpen)
  const closed = parts.keys.filter((key) => !isOpen(key))
  const content = html`${parts.fresh !== undefined && freshKey(view, parts.fresh)}
${card('Your keys', open.length === 0 ? html`<p class="soft">None. Make one below.</p>` : keyList(view, parts, open))}
${tenant.spec.state !== 'ended' && card('Make a key', makeForm(view, parts))}
${closed.length > 0 && card('Revoked and ended', keyList(view, parts, closed))}`
  return tenantPage(view, { title: 'Keys', section: 'keys', content })
}

function freshKey({ tenant }: TenantView, { id, text }: { readonly id: string; readonly text: string }): Html {
  return html`<section class="card lifted fresh" aria-labelledby="fresh-title"><h2 id="fresh-title">Your new key ${id}</h2>
<div class="secret"><code id="fresh-key">${text}</code>${copyButton('fresh-key')}</div>
<p class="soft">It is shown this once. Whoever has it reads and writes this memory: keep it out of prompts, repositories and logs.</p>
<div class="row">${button('Set up an agent with it', { href: `${addressOf(tenant, 'connect')}?key=${id}`, size: 'small' })}</div></section>`
}

function keyList(view: TenantView, parts: KeysParts, keys: KeysParts['keys']): Html {
  return html`<ul class="keys">${keys.map((key) => html`<li class="key depth-${Math.min(key.depth, 5)}">${keyHead(key)}${keyFacts(key)}${keyForms(view, parts, key)}</li>`)}</ul>`
}

const STATES: Readonly<Record<KeyView['state'], readonly [Tone, string]>> = { live: ['good', 'Works'], expiring: ['warn', 'Works until'], expired: ['plain', 'Ended'], revoked: ['bad', 'Revoked'] }

function keyHead({ id, name, key, state, endsAt, parent }: KeyView): Html {
  const [tone, text] = STATES[state]
  const until = state === 'expiring' && endsAt !== null ? ` ${dayWords(endsAt)}` : ''
  return html`<div class="key-head"><p><strong>${name ?? id}</strong>${name !== null && html` <span class="soft">${id}</span>`}${parent !== null && html` <span class="soft">made from ${parent}</span>`}</p>${badge(tone, `${text}${until}`)}</div>
<p><code>${key === '…' ? 'known by its digest only' : key}</code></p>`
}

function keyFacts({ access, lastUsedAt, requestsUsed, createdAt, endsAt, state }: KeyView): Html {
  const facts: HtmlPart[] = [
    `May: ${access === null ? 'everything' : describeAccess(access)}`,
    lastUsedAt === null ? 'Never used' : html`Last used ${time(lastUsedAt)}`,
    requestsUsed > 0 && `${countWords(requestsUsed)} requests`,
    html`Made ${time(createdAt, true)}`,
    endsAt !== null && state !== 'live' && html`${state === 'expiring' ? 'Ends' : 'Ended'} ${time(endsAt)}`,
  ]
  return html`<p class="key-facts soft small">${facts.filter((each) => each !== false).map((each, index) => html`${index > 0 && ' · '}${each}`)}</p>`
}

function time(at: Timestamp, day = false): Html {
  return html`<time datetime="${at}">${day ? dayWords(at) : timeWords(at)}</time>`
}

function keyForms({ session, tenant }: TenantView, { undoable }: KeysParts, { id, name, state }: KeyView): Html | false {
  const at = (action: string): string => `${addressOf(tenant, 'keys')}/${id}/${action}`
  const until = undoable.get(id)
  if (until !== undefined) return html`<div class="row">${actionForm(session, at('undo'), 'Take the revocation back')}<span class="soft small">possible until ${until.slice(11, 16)} UTC</span></div>`
  if (state === 'revoked' || state === 'expired' || tenant.spec.state === 'ended') return false
  return html`<details class="key-more"><summary>Change<span class="hidden-visually"> ${name ?? id}</span></summary><div class="stack">
<form class="row" method="post" action="${at('rename')}">${csrfField(session)}<div class="field"><label for="name-${id}">Name</label><input id="name-${id}" name="name" maxlength="60" value="${name ?? ''}" placeholder="such as laptop"></div><button class="button quiet small">Rename</button></form>
<div class="row">${actionForm(session, at('rotate'), 'Rotate')}<span class="soft small">A new key with the same rights; this one goes on working for a while.</span></div>
<div class="row">${actionForm(session, at('revoke'), 'Revoke now', 'danger')}<span class="soft small">Stops at once, with all that was made from it. You can take it back for ten minutes.</span></div></div></details>`
}

function makeForm({ session, tenant }: TenantView, { form = {}, errors = {}, hasPhexts }: KeysParts): Html {
  return html`<form class="form" method="post" action="${addressOf(tenant, 'keys')}">${csrfField(session)}
${field({ name: 'name', label: 'Name', value: form.name ?? '', hint: 'Tells it apart: the agent or the machine that uses it.', error: errors['name'], required: false, maxLength: 60 })}
<label class="check"><input type="checkbox" name="readOnly"${form.readOnly !== undefined && html` checked`}> <span>It only reads</span></label>
${hasPhexts && field({ name: 'phexts', label: 'Only these phexts', value: form.phexts ?? '', hint: 'Names with commas between; empty: all of them.', error: errors['phexts'], required: false, maxLength: 2000 })}
${field({ name: 'expires', label: 'Last day', type: 'date', value: form.expires ?? '', hint: 'Empty: it has no end.', error: errors['expires'], required: false })}
<button class="button">Make the key</button></form>`
}
