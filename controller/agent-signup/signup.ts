/**
 * An agent's call for a trial of its own: how often from where, once for each Idempotency-Key, and what is answered. The key's text is
 * derived anew for each answer and kept nowhere.
 */
import { hash } from 'node:crypto'
import { trialPlans, type TrialOutcome } from '../core/agent-trial.ts'
import type { CatalogView } from '../core/catalog-view.ts'
import { closest } from '../core/closest.ts'
import type { ApiKey } from '../core/keys.ts'
import { mergeLimits } from '../core/limits.ts'
import type { DerivedKeySpec, Limits, Plan, Tenant, Timestamp } from '../core/specs.ts'
import type { Keyring } from '../reconcile/ports.ts'
import type { AgentSignups } from '../store/agent-signups.ts'
import { siteOf } from '../web/client-network.ts'
import { HttpProblem, type FieldProblem } from '../web/http-problem.ts'
import { claimToken } from './claim-token.ts'
import type { Trials } from './trials.ts'

export interface SignupAnswer {
  readonly tenant: string
  /** A secret, told here alone. */
  readonly key: ApiKey
  readonly plan: string
  readonly endpoint: string
  readonly mcp: string
  readonly guide: string
  readonly limits: Limits
  readonly endsAt: Timestamp
  /** For a person: whoever has it can take the trial over. */
  readonly claimUrl: string
  readonly use: readonly string[]
}

export interface SignupCall {
  readonly body: unknown
  readonly address: string
  readonly idempotencyKey: string | undefined
}

export interface SignupOptions {
  readonly trials: Trials
  readonly signups: AgentSignups
  readonly catalog: CatalogView
  readonly keyring: Keyring
  readonly publicUrl: () => string
  /** 32 hex digits, random. */
  readonly newNonce: () => string
  readonly now: () => Date
}

const DAY_MS = 86_400_000
const FIELDS = ['plan', 'name']
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{16,200}$/
/** As the schema has it for one line of text. */
const NAME = /^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]{1,200}$/

export function createSignup({ trials, signups, catalog, keyring, publicUrl, newNonce, now }: SignupOptions): (call: SignupCall) => Promise<SignupAnswer> {
  const digest = (label: string, text: string): string => keyring.mac(keyring.masterVersion, `tenantry/signup/${label}/v1\n${text}`)

  /** The tenant of the call; made unless an earlier call of the same name made it. */
  async function tenantFor(plan: Plan, name: string | undefined, call: SignupCall): Promise<Tenant> {
    const network = digest('network', siteOf(call.address))
    const asked = hash('sha256', JSON.stringify([plan.metadata.name, name ?? null]))
    // A name is only this network's: another's call of the same name is another call.
    const request = digest('request', `${network}\n${call.idempotencyKey ?? newNonce()}`)
    const earlier = signups.get(request)
    if (earlier !== undefined && earlier.asked !== asked) throw reused()
    const settled = earlier === undefined || earlier.tenant === null ? undefined : catalog.tenant(earlier.tenant)
    if (settled !== undefined) return settled
    const at = now()
    const nonce = earlier?.nonce ?? newNonce()
    const { perAddress } = plan.spec.agentTrial!
    if (earlier === undefined) {
      const oldest = signups.add({ request, asked, network, nonce, at: at.toISOString() }, new Date(at.getTime() - DAY_MS).toISOString(), perAddress)
      if (oldest !== undefined) throw tooMany(perAddress, Date.parse(oldest) + DAY_MS - at.getTime())
    }
    const outcome = await trials.begin({ plan: plan.metadata.name, ...(name !== undefined && { name }), nonce })
    if (outcome.kind === 'refused') {
      signups.remove(request)
      throw refusal(outcome, plan)
    }
    signups.settle(request, outcome.tenant.metadata.name)
    return outcome.tenant
  }

  function answer({ metadata, spec }: Tenant, plan: Plan): SignupAnswer {
    const key = spec.keys[0] as DerivedKeySpec
    const base = publicUrl()
    const text = keyring.keyOf(metadata.name, key)
    const endpoint = base + (catalog.product(spec.product)?.spec.api?.path ?? '/')
    const claimUrl = `${base}/claim?token=${claimToken(keyring, metadata.name, key)}`
    return {
      tenant: metadata.name,
      key: text,
      plan: spec.plan,
      endpoint,
      mcp: `${base}/mcp`,
      guide: `${base}/guide`,
      limits: mergeLimits(plan.spec.limits, spec.limits ?? {}),
      endsAt: spec.trial?.endsAt ?? now().toISOString(),
      claimUrl,
      use: [
        'Keep the key: it is told once. Send it as "Authorization: Bearer KEY" to endpoint, or to mcp as a Model Context Protocol server.',
        `Give claimUrl to your person, and to nobody else: with it they take the trial over, keep the key and pay. Otherwise it ends at ${spec.trial?.endsAt}.`,
        `GET ${base}/api/usage says what is left. POST ${base}/api/keys makes a narrower key for a helper.`,
      ],
    }
  }

  return async (call) => {
    const { plan, name } = readWish(call.body, catalog)
    if (call.idempotencyKey !== undefined && !IDEMPOTENCY_KEY.test(call.idempotencyKey)) throw invalid([{ field: 'Idempotency-Key', message: 'Send 16 to 200 characters that nobody can guess, such as a UUID, or none.' }])
    return answer(await tenantFor(plan, name, call), plan)
  }
}

function readWish(body: unknown, catalog: CatalogView): { readonly plan: Plan; readonly name: string | undefined } {
  const offered = trialPlans(catalog)
  if (offered.length === 0) throw new HttpProblem({ status: 404, code: 'trials-off', title: 'No trials here', detail: 'Agents cannot sign themselves up here. A person can: see the page /pricing.' })
  const wish = body ?? {}
  if (typeof wish !== 'object' || Array.isArray(wish)) throw invalid([{ field: '', message: 'Send a JSON object with plan and name, or nothing.' }])
  const { plan: wanted, name } = wish as Readonly<Record<string, unknown>>
  const names = offered.map(({ metadata }) => metadata.name)
  const errors: FieldProblem[] = Object.keys(wish)
    .filter((field) => !FIELDS.includes(field))
    .map((field) => ({ field: field.slice(0, 100), message: 'There is no such field. Send plan and name, or nothing.' }))
  if (name !== undefined && (typeof name !== 'string' || !NAME.test(name))) errors.push({ field: 'name', message: 'Give one line of text of at most 200 characters: what you call yourself.' })
  const plan = wanted === undefined ? offered[0] : offered.find(({ metadata }) => metadata.name === wanted)
  if (plan === undefined && typeof wanted === 'string' && catalog.plan(wanted) !== undefined) {
    throw new HttpProblem({ status: 403, code: 'trials-off', title: 'No trial of this plan', detail: `An agent cannot begin with the plan ${wanted}. Choose ${names.join(' or ')}.` })
  }
  if (plan === undefined) {
    const near = typeof wanted === 'string' ? closest(wanted, names) : undefined
    errors.push({ field: 'plan', message: near === undefined ? `Choose ${names.join(' or ')}.` : `There is no such plan. Did you mean ${near}?` })
  }
  if (errors.length > 0) throw invalid(errors)
  return { plan: plan!, name: name as string | undefined }
}

function invalid(errors: readonly FieldProblem[]): HttpProblem {
  return new HttpProblem({ status: 422, code: 'invalid-request', title: 'Not possible like this', detail: errors.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`)).join(' '), errors })
}

function reused(): HttpProblem {
  return new HttpProblem({ status: 422, code: 'idempotency-key-reused', title: 'This name was used for another call', detail: 'An earlier call with this Idempotency-Key asked for something else. Use a new one for a new trial.', errors: [{ field: 'Idempotency-Key', message: 'It belongs to a call with another plan or name.' }] })
}

function tooMany(most: number, waitMs: number): HttpProblem {
  const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000))
  return new HttpProblem({ status: 429, code: 'too-many-trials', title: 'Too many trials', detail: `From one network ${most} ${most === 1 ? 'trial' : 'trials'} a day can be begun. Try again in ${retryAfterSeconds} s, or let a person sign up at /pricing.`, retryAfterSeconds })
}

function refusal({ reason }: Extract<TrialOutcome, { kind: 'refused' }>, { metadata }: Plan): HttpProblem {
  const { name } = metadata
  switch (reason) {
    case 'trials-full':
      return new HttpProblem({ status: 503, code: 'trials-full', title: 'All trials are taken', detail: `All trials of ${name} are in use. Try again later, or let a person sign up at /pricing.`, retryAfterSeconds: 3600 })
    case 'plan-sold-out':
      return new HttpProblem({ status: 409, code: 'plan-sold-out', title: 'Sold out', detail: `All slots of ${name} are taken.` })
    case 'trials-off':
      return new HttpProblem({ status: 403, code: 'trials-off', title: 'No trial of this plan', detail: `An agent cannot begin with the plan ${name} any more.` })
    case 'no-id-left':
      return new HttpProblem({ status: 503, code: 'no-id-left', title: 'Not possible right now', detail: 'The seller has to put something right first. Try again later.', retryAfterSeconds: 3600 })
  }
}
