/** The words and forms of the account pages. Pure. */
import { html, type Html } from '../web/html.ts'
import { button, field, notice, table } from '../web/pages/components.ts'
import { LINK_SENT } from './api-routes.ts'
import type { Session } from './port.ts'
import type { SessionView } from './sessions.ts'

/** A way to sign in with an account elsewhere. */
export interface ProviderButton {
  /** `/auth/provider/ID`. */
  readonly id: string
  readonly name: string
}

/** What a refused form said, shown above the form again. */
export interface Again {
  readonly email: string
  readonly next: string
  readonly error?: string
}

export const hidden = (name: string, value: string): Html => html`<input type="hidden" name="${name}" value="${value}">`

const errorBox = (error: string | undefined): Html | undefined => (error === undefined ? undefined : notice('bad', 'That did not work', error, 'alert'))

const emailField = (email: string, label = 'E-mail address'): Html => field({ name: 'email', label, type: 'email', value: email, autocomplete: 'username', maxLength: 254 })

export function signInForm({ email, next, error }: Again, providers: readonly ProviderButton[]): Html {
  const query = `?next=${encodeURIComponent(next)}`
  return html`${errorBox(error)}
<form method="post" action="/auth/sign-in">${hidden('next', next)}${emailField(email)}<div class="row">${button('Mail me a sign-in link')}</div></form>
${providers.length > 0 && html`<div class="row">${providers.map(({ id, name }) => button(`Sign in with ${name}`, { href: `/auth/provider/${id}${query}`, kind: 'quiet' }))}</div>`}
<p>Or <a href="/auth/password${query}">sign in with a password</a>. No account yet? The link makes one.</p>`
}

export function passwordForm({ email, next, error }: Again): Html {
  const query = `?next=${encodeURIComponent(next)}`
  return html`${errorBox(error)}
<form method="post" action="/auth/password">${hidden('next', next)}${emailField(email)}${field({ name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password', maxLength: 200 })}<div class="row">${button('Sign in')}</div></form>
<p>Forgotten? <a href="/auth/sign-in${query}">Sign in with a link</a>, or <a href="/auth/register${query}">choose a new one</a>.</p>`
}

export function registerForm({ email, next, error }: Again): Html {
  return html`${errorBox(error)}
<form method="post" action="/auth/register">${hidden('next', next)}${emailField(email)}${field({ name: 'password', label: 'Password', type: 'password', hint: 'At least 10 characters: a few words will do.', autocomplete: 'new-password', maxLength: 200 })}<div class="row">${button('Continue')}</div></form>
<p>We send a link to this address, with which you confirm it. <a href="/auth/sign-in?next=${encodeURIComponent(next)}">Sign in</a> instead.</p>`
}

export function checkMail(): Html {
  return html`<p>${LINK_SENT}</p>
<p>Nothing there after a few minutes? Look among the unwanted mail, then <a href="/auth/sign-in">ask for another one</a>.</p>`
}

export function linkForm({ token, email, asksPassword, error }: { readonly token: string; readonly email: string | undefined; readonly asksPassword: boolean; readonly error?: string }): Html {
  return html`${errorBox(error)}
${email !== undefined && html`<p>As <strong>${email}</strong>, on this device.</p>`}
<form method="post" action="/auth/link">${hidden('token', token)}
${asksPassword && html`<p>Somebody registered this address with a password. If that was you, enter it to keep it. If not, leave it empty: then it opens nothing.</p>${field({ name: 'password', label: 'The password you registered with', type: 'password', autocomplete: 'current-password', required: false, maxLength: 200 })}`}
<div class="row">${button('Sign in')}</div></form>
<p>You did not ask for this? Close the page: nothing happens.</p>`
}

export function deadLink(): Html {
  return html`<p>A link is good for 15 minutes and for one use.</p><div class="row">${button('Ask for a new one', { href: '/auth/sign-in' })}</div>`
}

export function sessionsTable({ email, emailVerified, csrf }: Session, sessions: readonly SessionView[]): Html {
  const end = (what: string, text: string): Html => html`<form method="post" action="/account/sessions">${hidden('csrf', csrf)}${hidden('end', what)}${button(text, { kind: 'quiet', size: 'small' })}</form>`
  const rows = sessions.map(({ id, agent, createdAt, seenAt, current }) => [html`${agent}${current && html` <strong>(this one)</strong>`}`, day(createdAt), day(seenAt), end(id, 'End')])
  return html`${!emailVerified && notice('warn', 'This address is not confirmed yet', 'Follow the link in our mail: until then you see nothing of your account.')}
<p>Signed in as ${email}.</p>
${table(['Program', 'Since', 'Last seen', ''], rows, 'Sessions')}
<div class="row">${end('all', 'Sign out everywhere')}<form method="post" action="/auth/sign-out">${hidden('csrf', csrf)}${button('Sign out here', { size: 'small' })}</form></div>`
}

const day = (at: string): Html => html`<time datetime="${at}">${at.slice(0, 10)}</time>`
