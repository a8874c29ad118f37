/** HTML as values: what a template takes in is text, and is escaped, unless it is HTML already. */

/** Text that is HTML. Made by `html` and `trusted` only. */
export interface Html {
  readonly kind: 'html'
  readonly text: string
}

export type HtmlPart = Html | string | number | false | undefined | readonly HtmlPart[]

/** A template: `html\`<p>${name}</p>\``. Lists are joined; false and undefined are nothing. Attributes must be quoted. */
export function html(strings: TemplateStringsArray, ...parts: readonly HtmlPart[]): Html {
  let text = strings[0]!
  for (const [index, part] of parts.entries()) text += render(part) + strings[index + 1]!
  return trusted(text)
}

/** Text that somebody else made HTML of. Never what a person typed or a file says. */
export function trusted(text: string): Html {
  return { kind: 'html', text }
}

export const NOTHING = trusted('')

function render(part: HtmlPart): string {
  if (part === undefined || part === false) return ''
  if (typeof part === 'string') return escapeHtml(part)
  if (typeof part === 'number') return String(part)
  return 'kind' in part ? part.text : part.map(render).join('')
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
