/**
 * The operator's console on the admin port: what runs, what waits and why, for a browser. Signed in with the admin token, which becomes a
 * cookie that says nothing of it and that no other site can make the browser send. It only reads; every change is a commit.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import formbody from '@fastify/formbody'
import { parseCookie, stringifySetCookie } from 'cookie'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { Assets } from './assets.ts'
import type { BillingOverview } from './billing-admin.ts'
import { billingPage } from './billing-page.ts'
import { html, type Html, type HtmlPart } from './html.ts'
import { badge, emptyState, facts, field, notice, table } from './pages/components.ts'
import type { Overview, StatusReader, TenantSummary } from './status-reader.ts'

export interface ConsoleOptions {
  readonly token: string
  readonly status: Pick<StatusReader, 'overview' | 'list'>
  readonly billing: () => BillingOverview
  readonly assets: Assets
}

export interface Console {
  /** The page on which one signs in, and what it looks like: open to everybody. */
  readonly entrance: FastifyPluginAsync
  /** Behind the token. */
  readonly pages: FastifyPluginAsync
  /** Whether a browser that was signed in asks to read. */
  maySee(request: FastifyRequest): boolean
}

export const SIGN_IN = '/console/sign-in'

const PLACES = [['Tenants', '/'], ['Billing', '/billing'], ['Metrics', '/metrics']] as const
const COOKIE = 'tenantry-console'
const HALF_A_DAY_S = 12 * 3600
const MOST_SHOWN = 200
const POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

export function createConsole({ token, status, billing, assets }: ConsoleOptions): Console {
  const pass = createHash('sha256').update(`tenantry/console/v1\n${token}`).digest('base64url')
  const cookie = (value: string, maxAge: number): string => stringifySetCookie(COOKIE, value, { path: '/', httpOnly: true, sameSite: 'strict', maxAge })

  function send(reply: FastifyReply, title: string, main: HtmlPart, code = 200): FastifyReply {
    const { accent, icon } = assets.of(undefined)
    const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title} · Tenantry</title><meta name="robots" content="noindex"><meta name="color-scheme" content="light dark">
<link rel="icon" href="${icon}" type="image/svg+xml"><link rel="stylesheet" href="${assets.style}"><link rel="stylesheet" href="${accent}"></head>
<body><header class="site-header"><div class="wrap"><a class="brand" href="/"><img src="${icon}" alt="" width="30" height="30">Tenantry</a><nav class="site-nav" aria-label="Console"><ul>${PLACES.map(([name, href]) => html`<li><a href="${href}"${name === title && html` aria-current="page"`}>${name}</a></li>`)}</ul></nav></div></header>
<main><div class="wrap page">${main}</div></main></body></html>
`
    return reply.code(code).headers({ 'content-type': 'text/html; charset=utf-8', 'content-security-policy': POLICY, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'referrer-policy': 'same-origin' }).send(page.text)
  }

  return {
    maySee({ method, headers }) {
      const sent = headers.cookie === undefined ? undefined : parseCookie(headers.cookie)[COOKIE]
      return (method === 'GET' || method === 'HEAD') && sent !== undefined && isEqual(sent, pass)
    },
    async entrance(app) {
      await app.register(formbody, { bodyLimit: 4096 })
      await app.register(assets.routes)
      app.get(SIGN_IN, (_request, reply) => send(reply, 'Sign in', signIn()))
      app.post<{ Body: { token?: unknown } | undefined }>(SIGN_IN, (request, reply) => {
        const given = request.body?.token
        if (typeof given !== 'string' || !isEqual(given.trim(), token)) return send(reply, 'Sign in', signIn('That is not the token of this installation.'), 403)
        return reply.header('set-cookie', cookie(pass, HALF_A_DAY_S)).redirect('/', 303)
      })
    },
    async pages(app) {
      app.get<{ Querystring: { q?: unknown } }>('/', (request, reply) => {
        const wanted = typeof request.query.q === 'string' ? request.query.q.trim().slice(0, 100) : ''
        return send(reply, 'Tenants', tenantsPage(status.overview(), status.list(), wanted))
      })
      app.get('/billing', (_request, reply) => send(reply, 'Billing', billingPage(billing())))
    },
  }
}

function signIn(error?: string): Html {
  return html`<div class="wrap narrow"><div class="page-head"><h1>Console</h1><p class="lead">What runs here, what waits, and why.</p></div>
<form class="form card" method="post" action="${SIGN_IN}">${field({ name: 'token', label: 'Admin token', type: 'password', autocomplete: 'current-password', hint: 'It stands in HOME/admin-token, or is what ADMIN_TOKEN says.', error })}<button class="button">Sign in</button></form></div>`
}

function tenantsPage(overview: Overview, list: readonly TenantSummary[], wanted: string): Html {
  const { tenants, attention, awaitingApproval } = overview
  const found = list.filter(({ tenant, product }) => tenant.includes(wanted) || product === wanted)
  return html`<div class="stack-large"><div class="page-head"><h1>Tenants</h1><p class="soft">At commit <code>${overview.revision?.slice(0, 12) ?? 'none yet'}</code></p></div>
<div class="card">${facts([['In all', String(tenants.total)], ['As they should be', String(tenants.ready)], ['Not serving, on purpose or not yet', String(tenants.notReady)], ['Held', String(tenants.held)], ['Out of service, data kept', String(tenants.retained)]])}</div>
${awaitingApproval.map(({ revision, tenants: held }) => notice('warn', `${held.length} removals wait for a person`, html`Look at them (${held.slice(0, 20).join(', ')}), then run <code>tenantry approve ${revision.slice(0, 12)}</code>.`))}
<section class="stack"><h2>Worth a look</h2>${attention.length === 0 ? emptyState('Nothing waits', html`<p>Everything is as its file says.</p>`) : rows(attention, 'Tenants that are not as their file says')}</section>
<section class="stack"><h2>All</h2><form class="row" method="get" action="/"><div class="field"><label for="q">Id or product</label><input id="q" name="q" value="${wanted}"></div><button class="button quiet">Find</button></form>
${found.length === 0 ? emptyState('None', html`<p>No tenant is called like this.</p>`) : rows(found.slice(0, MOST_SHOWN), 'Tenants')}${found.length > MOST_SHOWN && html`<p class="soft">The first ${MOST_SHOWN} of ${found.length}.</p>`}</section></div>`
}

function rows(tenants: readonly TenantSummary[], caption: string): Html {
  return table(['Tenant', 'Product', 'State', 'Why', 'Next try'], tenants.map(({ tenant, product, ready, reason, message, nextAttemptAt }) => [tenant, product, badge(ready ? 'good' : ['Suspended', 'Ended', 'Removed'].includes(reason) ? 'plain' : 'warn', reason, true), message, nextAttemptAt ?? '']), caption)
}

function isEqual(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
