/** The words and forms of the account pages, as HTML. Pure. */
import { escapeHtml } from '../web/html.ts'
import { LINK_SENT } from './api-routes.ts'
import type { Session } from './port.ts'
import type { SessionView } from './sessions.ts'

/** A way to sign in with an account elsewhere. */
export interface ProviderButton {
  /** `/auth/provider/ID`. */
  readonly id: string
  readonly name: string
}

const hidden = (name: string, value: string): string => `<input type="hidden" name="${name}" value="${escapeHtml(value)}">`

export function errorBox(detail: string): string {
  return `<p class="error" role="alert">${escapeHtml(detail)}</p>\n`
}

function emailField(id: string, email: string): string {
  return `<label for="${id}">E-mail address</label><input id="${id}" name="email" type="email" required autocomplete="username" maxlength="254" value="${escapeHtml(email)}">`
}

function passwordField(id: string, label: string, autocomplete: 'current-password' | 'new-password', required = true): string {
  return `<label for="${id}">${label}</label><input id="${id}" name="password" type="password" autocomplete="${autocomplete}" maxlength="200"${required ? ' required' : ''}>`
}

export function signInBody({ email, next, providers }: { readonly email: string; readonly next: string; readonly providers: readonly ProviderButton[] }): string {
  const query = `?next=${encodeURIComponent(next)}`
  const elsewhere = providers.map(({ id, name }) => `<p><a class="button" href="/auth/provider/${escapeHtml(id)}${query}">Sign in with ${escapeHtml(name)}</a></p>`).join('\n')
  return `<form method="post" action="/auth/sign-in">${hidden('next', next)}${emailField('email', email)}<button>Mail me a sign-in link</button></form>
${elsewhere}
<details><summary>Sign in with a password</summary>
<form method="post" action="/auth/sign-in">${hidden('next', next)}${emailField('email-with-password', email)}${passwordField('password', 'Password', 'current-password')}<button>Sign in</button></form></details>
<p>No account yet? The link makes one. Or <a href="/auth/register${query}">choose a password</a>.</p>
`
}

export function registerBody({ email, next }: { readonly email: string; readonly next: string }): string {
  return `<form method="post" action="/auth/register">${hidden('next', next)}${emailField('email', email)}${passwordField('password', 'Password, at least 10 characters', 'new-password')}<button>Make an account</button></form>
<p>We send a link to this address, with which you confirm it. You have an account? <a href="/auth/sign-in?next=${encodeURIComponent(next)}">Sign in</a>.</p>
`
}

export function checkMailBody(): string {
  return `<p>${LINK_SENT}</p>
<p>Nothing there after a few minutes? Look among the unwanted mail, then <a href="/auth/sign-in">ask for another one</a>.</p>
`
}

export function linkBody({ token, email, asksPassword }: { readonly token: string; readonly email: string | undefined; readonly asksPassword: boolean }): string {
  const who = email === undefined ? '' : `<p>As <strong>${escapeHtml(email)}</strong>, on this device.</p>\n`
  const password = asksPassword
    ? `<p>Somebody registered this address with a password. If that was you, enter it to keep it. If not, leave it empty: then it opens nothing.</p>${passwordField('password', 'The password you registered with', 'current-password', false)}`
    : ''
  return `${who}<form method="post" action="/auth/link">${hidden('token', token)}${password}<button>Sign in</button></form>
<p>You did not ask for this? Close the page: nothing happens.</p>
`
}

export function deadLinkBody(): string {
  return `<p>A link is good for 15 minutes and for one use. <a href="/auth/sign-in">Ask for a new one</a>.</p>\n`
}

export function sessionsBody({ email, emailVerified, csrf }: Session, sessions: readonly SessionView[]): string {
  const rows = sessions.map(
    ({ id, agent, createdAt, seenAt, current }) =>
      `<tr><td>${escapeHtml(agent)}${current ? ' <strong>(this one)</strong>' : ''}</td><td>${day(createdAt)}</td><td>${day(seenAt)}</td><td><form method="post" action="/account/sessions">${hidden('csrf', csrf)}${hidden('end', id)}<button>End</button></form></td></tr>`,
  )
  const unconfirmed = emailVerified ? '' : '<p class="error">This address is not confirmed yet: follow the link in our mail.</p>\n'
  return `${unconfirmed}<p>As ${escapeHtml(email)}.</p>
<table><thead><tr><th>Program</th><th>Since</th><th>Last seen</th><th></th></tr></thead><tbody>${rows.join('')}</tbody></table>
<form method="post" action="/account/sessions">${hidden('csrf', csrf)}${hidden('end', 'all')}<button>Sign out everywhere</button></form>
<form method="post" action="/auth/sign-out">${hidden('csrf', csrf)}<button>Sign out here</button></form>
`
}

const day = (at: string): string => `<time datetime="${escapeHtml(at)}">${escapeHtml(at.slice(0, 10))}</time>`
