/**
 * `/dashboard/…`: who asks is found by the session, whose tenant it is by its owner's address, before anything else happens. Every route
 * goes through `pageOf` or `formOf`; one that is somebody else's is answered as one that does not exist.
 */
import formbody from '@fastify/formbody'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { Session } from '../accounts/port.ts'
import type { Rate } from '../core/gcra.ts'
import type { Tenant } from '../core/specs.ts'
import { HttpProblem } from '../web/http-problem.ts'
import { createKeyedLimit } from '../web/keyed-limit.ts'
import { addForms } from './forms.ts'
import { noticeOf } from './notices.ts'
import { listPage, nothingPage, unprovedPage } from './pages/list.ts'
import { addPages } from './page-routes.ts'
import type { DashboardParts, TenantHandler } from './parts.ts'
import { createShownOnce } from './shown-once.ts'
import { standingOf } from './standing-words.ts'
import { addressOf, type TenantView } from './view.ts'

export interface Dashboard {
  readonly parts: DashboardParts
  viewOf(request: FastifyRequest, session: Session, tenant: Tenant): TenantView
  /** `path` after `/dashboard/TENANT`. */
  page(path: string, handle: TenantHandler): void
  /** A form that changes something; its fields are texts. */
  form(path: string, handle: TenantHandler): void
}

const MAX_BODY_BYTES = 16 * 1024
/** A commit each, by hand. */
const CHANGES: Rate = { perSecond: 0.2, burst: 30 }

export function createDashboardRoutes(parts: DashboardParts): FastifyPluginAsync {
  return async (parent) => {
    await parent.register(async (app) => {
      if (!app.hasContentTypeParser('application/x-www-form-urlencoded')) await app.register(formbody, { bodyLimit: MAX_BODY_BYTES })
      app.addHook('onSend', async (_request, reply) => void reply.header('cache-control', 'no-store'))
      const shown = createShownOnce(parts.now)
      const dashboard = createDashboard(app, parts)
      addList(app, dashboard)
      addPages(dashboard, shown)
      addForms(dashboard, shown)
    })
  }
}

function createDashboard(app: FastifyInstance, parts: DashboardParts): Dashboard {
  const { sessions, owned } = parts
  const changes = createKeyedLimit({ rate: CHANGES, nowMs: parts.nowMs })

  function viewOf(request: FastifyRequest, session: Session, tenant: Tenant): TenantView {
    const { product, plan } = { product: parts.specs.product(tenant.spec.product), plan: parts.specs.plan(tenant.spec.plan) }
    const now = parts.now()
    const notice = noticeOf((request.query as Readonly<Record<string, unknown>>)['said'])
    return {
      tenant,
      product,
      plan,
      standing: standingOf(tenant, parts.record(tenant.metadata.name), now.toISOString()),
      others: owned.all(session).length - 1,
      session,
      brand: parts.pages.brand(request, product?.spec.site === undefined ? parts.pages.front(request) : product),
      now,
      ...(notice && { notice }),
    }
  }

  function tenantOf(session: Session, request: FastifyRequest): Tenant {
    const { tenant: id } = request.params as { readonly tenant: string }
    const tenant = owned.one(session, id)
    if (tenant !== undefined) return tenant
    throw new HttpProblem({ status: 404, code: 'not-found', title: 'Not found', detail: 'You have nothing of this name. It may belong to another address: sign in with that one.' })
  }

  return {
    parts,
    viewOf,
    page(path, handle) {
      app.get(`/dashboard/:tenant${path}`, (request, reply) => {
        const session = sessions.of(request)
        if (session === undefined) return toSignIn(request, reply)
        return handle(viewOf(request, session, tenantOf(session, request)), request, reply)
      })
    },
    form(path, handle) {
      app.post(`/dashboard/:tenant${path}`, { bodyLimit: MAX_BODY_BYTES }, (request, reply) => {
        const session = sessions.of(request)
        if (session === undefined) return reply.redirect('/auth/sign-in?next=/dashboard', 303)
        sessions.checkCsrf(request)
        const tenant = tenantOf(session, request)
        const waitMs = changes.take(tenant.metadata.name)
        if (waitMs > 0) throw tooFast(waitMs)
        return handle(viewOf(request, session, tenant), request, reply)
      })
    },
  }
}

function addList(app: FastifyInstance, { parts, viewOf }: Dashboard): void {
  const { sessions, owned, pages } = parts
  app.get('/dashboard', (request, reply) => {
    const session = sessions.of(request)
    if (session === undefined) return toSignIn(request, reply)
    const brand = pages.brand(request, pages.front(request))
    if (!session.emailVerified) return pages.send(reply, unprovedPage(brand, session))
    const tenants = owned.all(session)
    if (tenants.length === 0) return pages.send(reply, nothingPage(brand, session))
    if (tenants.length === 1) return reply.redirect(addressOf(tenants[0]!), 303)
    return pages.send(reply, listPage(brand, session, tenants.map((tenant) => viewOf(request, session, tenant))))
  })
}

function toSignIn(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  // htmx asks for a part of a page: a form to sign in does not belong there. Nothing is put in, and the next click leads to it.
  if (request.headers['hx-request'] !== undefined) return reply.code(204).send()
  return reply.redirect(`/auth/sign-in?next=${encodeURIComponent(request.url.split('?')[0]!)}`, 303)
}

function tooFast(waitMs: number): HttpProblem {
  const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000))
  return new HttpProblem({ status: 429, code: 'too-many-changes', title: 'A little too fast', detail: `Every change is written down for good, so there may not be too many in a row. Wait ${retryAfterSeconds} s, and go on.`, retryAfterSeconds })
}
