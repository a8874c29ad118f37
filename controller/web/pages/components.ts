/** The pieces that pages are put together from. Each is a value in, HTML out; how they look stands in assets/site.css. */
import { html, type Html, type HtmlPart } from '../html.ts'

export type Tone = 'good' | 'warn' | 'bad' | 'accent' | 'plain'

export interface FieldOptions {
  readonly name: string
  readonly label: string
  readonly value?: string
  readonly type?: 'text' | 'email' | 'password' | 'number' | 'date'
  readonly hint?: string
  readonly error?: string | undefined
  readonly autocomplete?: string
  readonly required?: boolean
  readonly maxLength?: number
  /** Further attributes, such as those of htmx. */
  readonly attributes?: Html
  /** Beside the hint, such as an answer that comes while typing. */
  readonly after?: Html
}

/** A labelled input with its hint and its error beside it. */
export function field({ name, label, value = '', type = 'text', hint, error, autocomplete, required = true, maxLength, attributes, after }: FieldOptions): Html {
  const described = [hint !== undefined && `${name}-hint`, error !== undefined && `${name}-error`].filter((id) => id !== false).join(' ')
  return html`<div class="field">
<label for="${name}">${label}</label>
<input id="${name}" name="${name}" type="${type}" value="${value}"${autocomplete !== undefined && html` autocomplete="${autocomplete}"`}${type !== 'email' && html` autocapitalize="none" spellcheck="false"`}${required && html` required`}${maxLength !== undefined && html` maxlength="${maxLength}"`}${described !== '' && html` aria-describedby="${described}"`}${error !== undefined && html` aria-invalid="true"`}${attributes}>
${error !== undefined && html`<p class="error" id="${name}-error">${error}</p>`}
${hint !== undefined && html`<p class="hint" id="${name}-hint">${hint}</p>`}
${after}
</div>`
}

/** `role`: `alert` is read out at once, for what went wrong just now. */
export function notice(tone: Tone, title: string, text?: HtmlPart, role?: 'alert' | 'status'): Html {
  return html`<div class="notice ${tone}"${role !== undefined && html` role="${role}"`}><p class="notice-title">${title}</p>${text !== undefined && html`<div>${text}</div>`}</div>`
}

export function badge(tone: Tone, text: string, dot = false): Html {
  return html`<span class="badge ${tone}${dot ? ' dot' : ''}">${text}</span>`
}

export function button(text: string, options: { readonly href?: string; readonly kind?: 'quiet' | 'danger'; readonly size?: 'small' | 'large'; readonly attributes?: Html } = {}): Html {
  const classes = ['button', options.kind, options.size].filter((each) => each !== undefined).join(' ')
  if (options.href !== undefined) return html`<a class="${classes}" href="${options.href}"${options.attributes}>${text}</a>`
  return html`<button class="${classes}"${options.attributes}>${text}</button>`
}

/** `label` is what a screen reader says it is. */
export function progressBar(label: string, value: number, max: number, tone?: 'warn' | 'bad'): Html {
  return html`<progress${tone !== undefined && html` class="${tone}"`} aria-label="${label}" value="${Math.min(value, Math.max(1, max))}" max="${Math.max(1, max)}"></progress>`
}

/** Code under a line that names it, with a button that copies. `example` marks it for the test that runs the guide. */
export function codeBlock({ id, title, code, example }: { readonly id: string; readonly title: string; readonly code: string; readonly example?: string }): Html {
  return html`<figure class="code"><figcaption class="code-head"><span>${title}</span>${copyButton(`${id}-code`)}</figcaption>
<pre tabindex="0" role="region" aria-label="${`${title}: code`}"><code id="${id}-code"${example !== undefined && html` data-example="${example}"`}>${code}</code></pre></figure>`
}

/** Copies the text of the element with this id. Without script it isn't there. */
export function copyButton(of: string, text = 'Copy'): Html {
  return html`<button type="button" class="copy" data-copy="${of}">${text}</button>`
}

export function facts(rows: readonly (readonly [name: string, value: HtmlPart])[]): Html {
  return html`<dl class="facts">${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`
}

export function table(head: readonly string[], rows: readonly (readonly HtmlPart[])[], caption: string): Html {
  return html`<div class="table-wrap" tabindex="0" role="region" aria-label="${caption}"><table><caption class="hidden-visually">${caption}</caption>
<thead><tr>${head.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody></table></div>`
}

/** Nothing there yet, or something to wait for. */
export function emptyState(title: string, text: HtmlPart, actions?: Html): Html {
  return html`<div class="state"><h2>${title}</h2><div>${text}</div>${actions !== undefined && html`<div class="row">${actions}</div>`}</div>`
}

/** Panels of which one shows, without script. `name` is unique in the page. */
export function tabs(name: string, panels: readonly { readonly id: string; readonly title: string; readonly content: Html }[]): Html {
  return html`<div class="tabs">${panels.map(({ id, title, content }, index) => html`<input type="radio" name="${name}" id="${`${name}-${id}`}"${index === 0 && html` checked`}><label for="${`${name}-${id}`}">${title}</label><div class="panel">${content}</div>`)}</div>`
}

/** A page's first lines. */
export function pageHead(title: string, lead?: HtmlPart): Html {
  return html`<div class="page-head"><h1>${title}</h1>${lead !== undefined && html`<p class="lead">${lead}</p>`}</div>`
}

/** An ordinary page: one column, with its head. */
export function simplePage(width: 'narrow' | 'reading' | 'full', title: string, lead: HtmlPart | undefined, body: HtmlPart): Html {
  return html`<div class="wrap${width === 'full' ? '' : ` ${width}`} page">${pageHead(title, lead)}${body}</div>`
}
