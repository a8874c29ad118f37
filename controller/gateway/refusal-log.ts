/**
 * The refusals that people ask about: found again by the id in its answer, and told in words. Reads HOME's usage.db beside a running
 * gateway and never writes.
 */
import { readUsage, usagePath, type RefusalRecord } from '../store/usage.ts'

/** Undefined where no such refusal is remembered: the newest 10,000 are, of a flood only the first of each second. */
export function findRefusal(home: string, id: string): RefusalRecord | undefined {
  const usage = readUsage(usagePath(home))
  try {
    return usage?.refusal(id)
  } finally {
    usage?.close()
  }
}

/** The newest refusals of a tenant. */
export function refusalsOf(home: string, tenant: string, most: number): RefusalRecord[] {
  const usage = readUsage(usagePath(home))
  try {
    return usage?.refusalsOf(tenant, most) ?? []
  } finally {
    usage?.close()
  }
}

/** Lines for a person. Which commit set a limit is told by the repository's history of the tenant's and the plan's file up to `at`. */
export function describeRefusal({ id, at, tenant, key, product, plan, status, code, detail, measured }: RefusalRecord): string[] {
  const who = tenant === '' ? 'no tenant: the request carried no key that is known' : `tenant ${tenant} (key ${key}, product ${product}, plan ${plan})`
  const { limit, value, unit, used, resetAt } = measured ?? {}
  const lines = [`refusal ${id} at ${at}`, `  ${status} ${code}`, `  ${who}`, `  ${detail}`]
  if (limit !== undefined) lines.push(`  rule: limits.${show(limit)} = ${show(value)}${unit === undefined ? '' : ` ${show(unit)}`}${measured?.['fairUse'] === true ? ', the fair-use ceiling of the plan' : ''}`)
  if (used !== undefined) lines.push(`  used then: ${show(used)}`)
  if (resetAt !== undefined) lines.push(`  begins anew: ${show(resetAt)}`)
  return lines
}

function show(value: unknown): string {
  return String(value)
}
