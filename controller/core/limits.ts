/** Limits: what a tenant has when its plan and its own differences are laid together, and whether limits make sense. Pure. */
import { suggest } from './closest.ts'
import type { Finding } from './problem.ts'
import type { LimitName, Limits, Platform, Product, TenantSpec } from './specs.ts'

/** The plan's limits with the tenant's own over them. The plan's object itself where nothing differs, so that equal tenants share it. */
export function mergeLimits(plan: Limits, own: Limits | undefined): Limits {
  if (own === undefined) return plan
  const differs = (Object.keys(own) as LimitName[]).some((name) => own[name] !== undefined && own[name] !== plan[name])
  if (!differs) return plan
  const set = Object.entries(own).filter(([, value]) => value !== undefined)
  return { ...plan, ...Object.fromEntries(set) }
}

/** What a buyer of several units has more of. The rest is about one request, one text or one profile, and stays as it is. */
const COUNTED: readonly LimitName[] = ['storageMb', 'documents', 'workspaces', 'requestsPerSecond', 'burst', 'requestsPerDay', 'requestsPerMonth', 'memoryMb', 'cpus', 'profiles']

/** The plan's limits for so many units that are paid for: amounts count so many times, `unlimited` stays. The plan's object itself for one. */
export function timesQuantity(limits: Limits, quantity = 1): Limits {
  if (quantity === 1) return limits
  const counted = COUNTED.flatMap((name) => (typeof limits[name] === 'number' ? [[name, limits[name] * quantity] as const] : []))
  return { ...limits, ...Object.fromEntries(counted) }
}

/** What a tenant has: its plan's limits, as often as it pays for them, with its own over them. An own limit is the whole of it and is not counted again. */
export function limitsOf(plan: Limits, { limits, billing }: Pick<TenantSpec, 'limits' | 'billing'>): Limits {
  return mergeLimits(timesQuantity(plan, billing?.quantity), limits)
}

export interface LimitCheck {
  /** The file that sets the limits and the field they stand in, such as `spec.limits`. */
  readonly file: string
  readonly field: string
  readonly limits: Limits
  /** Everything in force together with them: the merge for a tenant, `limits` itself for a plan. */
  readonly inForce: Limits
  /** What `unlimited` stays under. */
  readonly fairUse: Limits | undefined
  readonly bounds: Platform['spec']['bounds'] | undefined
  readonly product: Product | undefined
}

/** Limits of one file that are over the platform's bounds or mean nothing for the product. */
export function limitFindings(check: LimitCheck): Finding[] {
  return (Object.keys(check.limits) as LimitName[]).flatMap((name) => {
    const problem = boundProblem(name, check) ?? senseProblem(name, check)
    return problem === undefined ? [] : [{ file: check.file, field: `${check.field}.${name}`, ...problem }]
  })
}

type Words = Pick<Finding, 'message' | 'fix'>

function boundProblem(name: LimitName, { limits, bounds, fairUse }: LimitCheck): Words | undefined {
  const bound = bounds?.[name]
  if (bound === undefined || limits[name] === undefined) return undefined
  if (limits[name] !== 'unlimited') {
    if (limits[name] <= bound) return undefined
    return { message: `${limits[name]} is over the platform's bound of ${bound}`, fix: `Set at most ${bound}, or raise spec.bounds.${name} in platform.yaml.` }
  }
  const ceiling = fairUse?.[name]
  if (typeof ceiling === 'number') return undefined // the ceiling is measured against the bound where the plan states it
  return { message: `\`unlimited\` needs a fair-use ceiling, because the platform bounds it to ${bound}`, fix: `State spec.fairUse.${name} in the plan, or set a number.` }
}

const CONTAINER_ONLY: ReadonlySet<LimitName> = new Set(['memoryMb', 'cpus'])
const SSH_ONLY: ReadonlySet<LimitName> = new Set(['profiles', 'devicesPerProfile'])

function senseProblem(name: LimitName, { inForce, product }: LimitCheck): Words | undefined {
  if (name === 'burst' && inForce.requestsPerSecond === undefined) {
    return { message: 'a burst means nothing without a steady rate', fix: 'Set requestsPerSecond as well, or remove burst.' }
  }
  if (product === undefined) return undefined
  const { name: called } = product.metadata
  if (CONTAINER_ONLY.has(name) && product.spec.run.kind === 'shared-sq') {
    return { message: `tenants of ${called} share one SQ and have no ${name} of their own`, fix: 'Remove it.' }
  }
  if (SSH_ONLY.has(name) && !offersSsh(product)) return { message: `tenants of ${called} have no SSH log-in`, fix: 'Remove it.' }
  return undefined
}

/** Whether the product's containers take the SSH keys of devices. */
export function offersSsh({ spec }: Product): boolean {
  return spec.run.kind === 'container' && (spec.run.files ?? []).some(({ content }) => content === 'authorized-keys')
}

/** A name that refers to nothing. */
export function missingReference(file: string, field: string, what: string, name: string, known: Iterable<string>): Finding {
  return { file, field, message: `there is no ${what} \`${name}\` in force`, fix: suggest(name, known) || `Add the ${what} first.` }
}
