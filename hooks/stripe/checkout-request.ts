/** What a buyer sends to begin a purchase, read strictly, with all that is wrong said at once. */
import type { CatalogView } from '../../controller/core/catalog-view.ts'
import { closest } from '../../controller/core/closest.ts'
import { timesQuantity } from '../../controller/core/limits.ts'
import { isEmail, isUsername } from '../../controller/core/purchase.ts'
import type { BillingInterval, LimitName, Plan } from '../../controller/core/specs.ts'
import { HttpProblem, type FieldProblem } from '../../controller/web/http-problem.ts'

export interface CheckoutRequest {
  readonly plan: string
  readonly interval: BillingInterval
  readonly email: string
  /** Absent only where a tenant that there is shall be paid for. */
  readonly username?: string
  /** Units; 1 where absent. */
  readonly quantity?: number
}

const FIELDS: ReadonlySet<string> = new Set(['plan', 'interval', 'email', 'username', 'quantity'])
const MOST_UNITS = 100

/** @throws HttpProblem */
export function parseRequest(body: unknown, catalog: CatalogView, needsName: boolean): CheckoutRequest {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw invalid([{ field: '', message: 'Send a JSON object with plan, interval, email and username.' }])
  }
  const { plan, interval, email, username, quantity } = body as Record<string, unknown>
  const errors: FieldProblem[] = Object.keys(body)
    .filter((field) => !FIELDS.has(field))
    .map((field) => ({ field: field.slice(0, 100), message: 'There is no such field. Send plan, interval, email and username.' }))
  errors.push(...planProblems(plan, interval, catalog))
  if (typeof email !== 'string' || !isEmail(email)) errors.push({ field: 'email', message: 'Give an e-mail address, such as ada@example.com.' })
  if ((needsName || username !== undefined) && (typeof username !== 'string' || !isUsername(username))) {
    errors.push({ field: 'username', message: 'Choose 1 to 32 lower-case letters, digits and hyphens, starting with a letter and ending with a letter or digit.' })
  }
  errors.push(...quantityProblems(quantity, typeof plan === 'string' ? catalog.plan(plan) : undefined, catalog))
  if (errors.length > 0) throw invalid(errors)
  return { plan, interval, email, ...(username !== undefined && { username }), ...(quantity !== undefined && quantity !== 1 && { quantity }) } as CheckoutRequest
}

function planProblems(name: unknown, interval: unknown, catalog: CatalogView): FieldProblem[] {
  const names = [...catalog.plans()].map(({ metadata }) => metadata.name)
  const plan = typeof name === 'string' ? catalog.plan(name) : undefined
  if (plan === undefined) {
    const near = typeof name === 'string' ? closest(name, names) : undefined
    return [{ field: 'plan', message: near === undefined ? `Choose one of ${names.join(', ')}.` : `There is no such plan. Did you mean ${near}?` }]
  }
  const offered = Object.keys(plan.spec.prices)
  if (offered.length === 0) return [{ field: 'plan', message: `${plan.metadata.name} has no price: there is nothing to pay for.` }]
  return typeof interval === 'string' && offered.includes(interval) ? [] : [{ field: 'interval', message: `Choose ${offered.join(' or ')}.` }]
}

/** So many units must not be more than the platform lets anybody have. */
function quantityProblems(quantity: unknown, plan: Plan | undefined, catalog: CatalogView): FieldProblem[] {
  if (quantity === undefined) return []
  if (!Number.isInteger(quantity) || (quantity as number) < 1 || (quantity as number) > MOST_UNITS) return [{ field: 'quantity', message: `Choose a whole number from 1 to ${MOST_UNITS}.` }]
  const limits = timesQuantity(plan?.spec.limits ?? {}, quantity as number)
  const bounds = catalog.platform?.spec.bounds ?? {}
  const over = (Object.keys(limits) as LimitName[]).find((name) => typeof limits[name] === 'number' && limits[name] > (bounds[name] ?? Infinity))
  return over === undefined || quantity === 1 ? [] : [{ field: 'quantity', message: `So many units have more ${over} than there can be. Choose fewer.` }]
}

function invalid(errors: readonly FieldProblem[]): HttpProblem {
  const detail = errors.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`)).join(' ')
  return new HttpProblem({ status: 400, code: 'invalid-request', title: 'Invalid request', detail, errors })
}
