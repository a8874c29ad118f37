/** What an owner's forms do: read the fields, act, lead on to the page that shows it. What cannot be done is told on the page that the form stands on. */
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { loggableCause } from '../../hooks/stripe/fetch.ts'
import { KeyChangeError } from '../agent-keys/errors.ts'
import { isFullKey } from '../core/keys.ts'
import type { DerivedKeySpec } from '../core/specs.ts'
import { HttpProblem } from '../web/http-problem.ts'
import { CONNECT_FILES, connectFile, isConnectFile } from './connect-files.ts'
import { readKeyForm, type KeyForm } from './key-form.ts'
import type { NoticeName } from './notices.ts'
import { endpointOf, readAccount, readKeys, showableKeys } from './page-routes.ts'
import { accountPage } from './pages/account.ts'
import { keysPage } from './pages/keys.ts'
import type { TenantHandler } from './parts.ts'
import type { Dashboard } from './routes.ts'
import type { ShownOnce } from './shown-once.ts'
import { addressOf, type TenantView } from './view.ts'

type Fields = Readonly<Record<string, string | undefined>>

export function addForms(dashboard: Dashboard, shown: ShownOnce): void {
  addKeyForms(dashboard, shown)
  addAccountForms(dashboard)
  const { parts, form } = dashboard
  form('/connect/:file', (view, request, reply) => {
    const { file } = request.params as { readonly file: string }
    if (!isConnectFile(file)) throw new HttpProblem({ status: 404, code: 'not-found', title: 'Not found', detail: 'There is no such set-up.' })
    const key = showableKeys(view).find(({ id }) => id === fieldsOf(request)['key'])
    if (key === undefined) throw new HttpProblem({ status: 409, code: 'key-not-possible', title: 'Not this key', detail: 'This key opens nothing any more, or only its digest is known here. Choose another, or make one.' })
    const { name, type } = CONNECT_FILES[file]
    const text = connectFile(file, endpointOf(parts, view), parts.keyring.keyOf(view.tenant.metadata.name, key))
    return reply.headers({ 'content-type': type, 'content-disposition': `attachment; filename="${name}"`, 'referrer-policy': 'no-referrer' }).send(text)
  })
  form('/billing/portal', async (view, _request, reply) => {
    if (view.tenant.spec.billing?.customer === undefined) throw new HttpProblem({ status: 409, code: 'not-paid-for', title: 'Nothing to manage', detail: 'Nothing is paid for it, so there is nothing to manage.' })
    return reply.redirect(await parts.billing.portalUrl(view.tenant), 303)
  })
  form('/billing/resume', async (view, _request, reply) => {
    if (view.tenant.spec.billing?.status !== 'paused') throw new HttpProblem({ status: 409, code: 'not-paused', title: 'Nothing to resume', detail: 'The subscription is not paused.' })
    await parts.billing.resume(view.tenant)
    return done(reply, view, 'resuming', 'billing')
  })
}

function addKeyForms({ parts, form }: Dashboard, shown: ShownOnce): void {
  const { actions, keyring, untilServed } = parts

  /** The new key is shown on the next page; where the gateway serves it already, that is said. */
  async function leadToFresh({ tenant, session }: TenantView, made: DerivedKeySpec, reply: FastifyReply, said?: NoticeName): Promise<FastifyReply> {
    const id = tenant.metadata.name
    shown.allow(session.account, id, made.id)
    const served = await untilServed(keyring.keyOf(id, made))
    return reply.redirect(`${addressOf(tenant, 'keys')}?said=${said ?? (served ? 'key-made' : 'key-coming')}&new=${made.id}`, 303)
  }
  const onKeys = (handle: TenantHandler): TenantHandler => async (view, request, reply) => {
    try {
      return await handle(view, request, reply)
    } catch (error) {
      const detail = refusalText(error)
      return parts.pages.send(reply, keysPage({ ...view, notice: { tone: 'bad', title: 'That was not done', text: detail } }, await readKeys(parts, view)), { status: 409 })
    }
  }

  form('/keys', onKeys(async (view, request, reply) => {
    refuseEnded(view)
    const fields = fieldsOf(request) as KeyForm
    const read = readKeyForm(fields, view.now)
    if (read.kind === 'ok') return leadToFresh(view, await actions.makeKey(view.tenant.metadata.name, read.wish), reply)
    const errors = Object.fromEntries(read.problems.map(({ field, message }) => [field === 'expiresAt' ? 'expires' : field, message]))
    return parts.pages.send(reply, keysPage(view, { ...(await readKeys(parts, view)), form: fields, errors }), { status: 422 })
  }))
  form('/keys/:key/rename', onKeys(async (view, request, reply) => {
    const name = (fieldsOf(request)['name'] ?? '').trim()
    if (name.length > 60) throw new KeyChangeError('key-not-possible', 'Keep the name under 60 characters.')
    await actions.renameKey(view.tenant.metadata.name, keyIn(request), name === '' ? undefined : name)
    return done(reply, view, 'key-renamed')
  }))
  form('/keys/:key/rotate', onKeys(async (view, request, reply) => {
    refuseEnded(view)
    const { made } = await actions.rotateKey(view.tenant.metadata.name, keyIn(request))
    return leadToFresh(view, made, reply, 'key-rotated')
  }))
  form('/keys/:key/revoke', onKeys(async (view, request, reply) => {
    await actions.revokeKey(view.tenant.metadata.name, keyIn(request))
    return done(reply, view, 'key-revoked')
  }))
  form('/keys/:key/undo', onKeys(async (view, request, reply) => {
    await actions.undoRevoke(view.tenant, keyIn(request))
    return done(reply, view, 'key-restored')
  }))
}

function done(reply: FastifyReply, { tenant }: TenantView, said: NoticeName, section = 'keys'): FastifyReply {
  return reply.redirect(`${addressOf(tenant, section)}?said=${said}`, 303)
}

function addAccountForms({ parts, form }: Dashboard): void {
  const refuse = (view: TenantView, reply: FastifyReply, errors: Readonly<Record<string, string>>): FastifyReply => parts.pages.send(reply, accountPage(view, { ...readAccount(parts, view), errors }), { status: 422 })
  form('/account/listing', async (view, request, reply) => {
    const fields = fieldsOf(request)
    const name = (fields['listedAs'] ?? '').replace(/\s+/g, ' ').trim()
    const remove = fields['remove'] !== undefined
    if (!remove && !readAccount(parts, view).mayBeListed) throw new HttpProblem({ status: 409, code: 'not-a-founder', title: 'Not on this plan', detail: 'The founders page is for those on a founder’s plan.' })
    if (!remove && (name === '' || name.length > 60)) return refuse(view, reply, { listedAs: name === '' ? 'Say under which name.' : 'Keep it under 60 characters.' })
    await parts.actions.list(view.tenant.metadata.name, remove ? undefined : name).catch(rethrow)
    return done(reply, view, remove ? 'unlisted' : 'listed', 'account')
  })
  form('/account/close', async (view, request, reply) => {
    const id = view.tenant.metadata.name
    if ((fieldsOf(request)['confirm'] ?? '').trim() !== id) return refuse(view, reply, { confirm: `That is not ${id}. Nothing was closed.` })
    // Money first: what is written down as ended must not go on to be charged. A cancelled subscription ends the tenant by itself, should this break off in between.
    await parts.billing.cancelNow(view.tenant).catch(stripeAway)
    await parts.actions.close(id).catch(rethrow)
    return done(reply, view, 'closed', 'account')
  })
  form('/account/export', async (view, _request, reply) => {
    const key = showableKeys(view).find((each) => isFullKey(each))
    if (key === undefined) throw new HttpProblem({ status: 409, code: 'key-not-possible', title: 'No key for it', detail: 'Make a key that may everything, and try again.' })
    const answer = await parts.exportWith(parts.keyring.keyOf(view.tenant.metadata.name, key))
    if (!answer.ok || answer.body === null) throw await exportRefused(answer)
    return reply.headers({ 'content-type': 'application/x-tar', 'content-disposition': `attachment; filename="${view.tenant.metadata.name}.tar"` }).send(Readable.fromWeb(answer.body as ReadableStream))
  })
}

/** The gateway's own words. */
async function exportRefused(answer: Response): Promise<HttpProblem> {
  const { code, detail } = (await answer.json().catch(() => ({}))) as { readonly code?: string; readonly detail?: string }
  return new HttpProblem({ status: answer.status >= 500 ? 503 : 409, code: code ?? 'export-failed', title: 'Nothing was exported', detail: detail ?? 'The export did not begin. Try again in a moment.' })
}

function refuseEnded({ tenant }: TenantView): void {
  if (tenant.spec.state === 'ended') throw new KeyChangeError('key-not-possible', 'It has ended, and no key opens it.')
}

/** What the page says; a fault of ours goes on as one. */
function refusalText(error: unknown): string {
  if (error instanceof KeyChangeError) return error.message === '' ? 'It is being put right by a person. Try again later.' : error.message
  throw notWritten(error)
}

function rethrow(error: unknown): never {
  if (error instanceof KeyChangeError) throw new HttpProblem({ status: 409, code: error.code, title: 'That was not done', detail: refusalText(error) })
  throw notWritten(error)
}

function notWritten(error: unknown): unknown {
  if (error instanceof HttpProblem) return error
  return new HttpProblem({ status: 503, code: 'not-written', title: 'Not available right now', detail: 'The change could not be written, and is not in force. Try again in a moment.', retryAfterSeconds: 5 }, { cause: error })
}

/** What Stripe says can quote what was sent: none of it reaches a log. */
function stripeAway(cause: unknown): never {
  throw new HttpProblem({ status: 502, code: 'stripe-unavailable', title: 'The payment service did not answer', detail: 'Nothing was changed. Try again in a moment.', retryAfterSeconds: 5 }, { cause: loggableCause(cause) })
}

function keyIn({ params }: FastifyRequest): string {
  return (params as { readonly key: string }).key
}

/** One value a name: of several the first. */
function fieldsOf({ body }: FastifyRequest): Fields {
  if (typeof body !== 'object' || body === null) return {}
  return Object.fromEntries(Object.entries(body).flatMap(([name, value]: [string, unknown]) => {
    const first: unknown = Array.isArray(value) ? value[0] : value
    return typeof first === 'string' ? [[name, first]] : []
  }))
}

