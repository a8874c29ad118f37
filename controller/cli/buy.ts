/** `tenantry buy`: a purchase in the sandbox, through the real checkout, the real signed webhook and the real commit. Answers when the key works. */
import { isFullKey } from '../core/keys.ts'
import type { TenantId } from '../core/specs.ts'
import { openInstallation, type Installation } from '../installation.ts'
import { createInbox } from '../store/inbox.ts'
import { EXIT, settingsOf, UsageError, type Answer, type CliContext } from './context.ts'
import { readRunFile, type RunFile } from './run-file.ts'

export interface BuyOptions {
  readonly plan: string
  readonly email: string
  readonly username: string
  readonly interval: string
}

const SERVED_WITHIN_MS = 60_000
const POLL_MS = 25

export async function buy(context: CliContext, options: BuyOptions): Promise<Answer> {
  const settings = settingsOf(context)
  if (settings.stripe.kind === 'account') throw new UsageError('`buy` is for the sandbox; this installation has a Stripe account (STRIPE_SECRET_KEY). Use the checkout page.')
  const run = readRunFile(settings.home)
  if (run?.sandboxUrl === undefined) throw new UsageError('The controller is not running. Start it with `npm start`, then buy in another terminal.')
  context.writeError('checkout … ')
  const { session, payUrl } = await checkout(run, options)
  context.writeError(`paying ${session.slice(0, 16)}… `)
  await post(payUrl, 'action=pay', 'application/x-www-form-urlencoded')
  const installation = await openInstallation(settings, { environment: context.machine.environment, now: context.now })
  try {
    return await served(context, installation, run, session)
  } finally {
    await installation.close()
  }
}

async function checkout(run: RunFile, { plan, interval, email, username }: BuyOptions): Promise<{ session: string; payUrl: string }> {
  const answer = await post(`${run.localUrl}/api/checkout`, JSON.stringify({ plan, interval, email, username }), 'application/json')
  const { url } = JSON.parse(answer) as { url: string }
  return { payUrl: url, session: url.slice(url.lastIndexOf('/') + 1) }
}

async function post(url: string, body: string, type: string): Promise<string> {
  const answer = await fetch(url, { method: 'POST', body, headers: { 'content-type': type }, redirect: 'manual' })
  const text = await answer.text()
  if (answer.status < 400) return text
  throw new UsageError(problemText(text) ?? `${new URL(url).pathname} answered ${answer.status}`)
}

/** A problem answer's detail, or each field's error on a line: the detail repeats those. */
function problemText(text: string): string | undefined {
  try {
    const { detail, errors } = JSON.parse(text) as { detail?: string; errors?: { field: string; message: string }[] }
    return errors === undefined ? detail : ['what was asked for cannot be bought:', ...errors.map(({ field, message }) => `  ${field}: ${message}`)].join('\n')
  } catch {
    return undefined
  }
}

/** Waits for the tenant that the payment became, then for its key to work. */
async function served(context: CliContext, { stores, source, catalog, keyring }: Installation, run: RunFile, session: string): Promise<Answer> {
  const inbox = createInbox(stores.durable, { now: context.now, mark: stores.timeline.mark })
  const deadline = performance.now() + SERVED_WITHIN_MS
  context.writeError('provisioning … ')
  while (performance.now() < deadline) {
    const id = inbox.servedBy(session)
    if (id !== undefined) {
      await source.sync()
      const spec = catalog.tenant(id)?.spec
      const first = spec?.keys.find(isFullKey)
      const key = first && keyring.keyOf(id, first)
      if (spec !== undefined && key !== undefined) return await working(context, { id, key, run, product: spec.product, api: catalog.product(spec.product)?.spec.api?.path, stores, deadline })
    }
    await pause()
  }
  return { json: { session, tenant: null }, text: `The payment ${session} is not served yet. \`tenantry status\` says why; it is not lost.\n`, exitCode: EXIT.failed }
}

interface Working {
  readonly id: TenantId
  readonly key: string
  readonly run: RunFile
  readonly product: string
  readonly api: string | undefined
  readonly stores: Installation['stores']
  readonly deadline: number
}

async function working(context: CliContext, { id, key, run, product, api, stores, deadline }: Working): Promise<Answer> {
  context.writeError(`${id}\n`)
  const answer = { tenant: id, product, key, endpoint: `${run.publicUrl}${(api ?? '/').replace(/\/$/, '')}`, ready: true }
  while (performance.now() < deadline) {
    const status = stores.records.get(id)?.status
    const ready = status?.conditions.find(({ type }) => type === 'Ready')
    if (ready?.status === true) return { json: answer, text: `tenant    ${id}\nkey       ${key}\nendpoint  ${answer.endpoint}\n` }
    if (ready !== undefined && status?.nextAttemptAt !== undefined && ready.reason !== 'NotHealthy') {
      return { json: { ...answer, ready: false, reason: ready.reason }, text: `tenant    ${id}\nkey       ${key}\nwaits     ${ready.reason}: ${ready.message}\n` }
    }
    await pause()
  }
  return { json: { ...answer, ready: false }, text: `tenant    ${id}\nkey       ${key}\nIt does not serve yet: \`tenantry status ${id}\` says why.\n`, exitCode: EXIT.failed }
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, POLL_MS))
