/** A small tenant repository as text: one platform, product and plan, and tenants by number. */

export interface TextFile {
  readonly path: string
  readonly text: string
}

const HEAD = 'apiVersion: tenantry.dev/v1\n'

export const SHARED_FILES: readonly TextFile[] = [
  { path: 'platform.yaml', text: `${HEAD}kind: Platform\nmetadata: { name: sample }\nspec:\n  domain: example.com\n  deletionLimit: { count: 2, sharePercent: 100 }\n  retentionDays: 30\n  keyOverlapHours: 24\n  bounds: { storageMb: 10000 }\n` },
  { path: 'products/sq.yaml', text: `${HEAD}kind: Product\nmetadata: { name: sq }\nspec:\n  title: SQ\n  tenantId: { prefix: user, digits: 3 }\n  api: { path: /api/v2/ }\n  run: { kind: shared-sq, engine: process, tenantsPerShard: 500 }\n` },
  { path: 'plans/standard.yaml', text: `${HEAD}kind: Plan\nmetadata: { name: standard }\nspec:\n  product: sq\n  title: Standard\n  tier: standard\n  prices:\n    month: { amount: 1500, currency: usd }\n  limits: { storageMb: 1000 }\n` },
]

export function tenantText(n: number): string {
  const id = `user${String(n).padStart(3, '0')}`
  return `${HEAD}kind: Tenant\nmetadata:\n  name: ${id}\nspec:\n  product: sq\n  plan: standard\n  owner:\n    email: ${id}@example.com # asked for by telephone\n  state: active\n  keys:\n    - { id: k1, nonce: ${String(n).padStart(32, 'a')}, createdAt: 2026-02-12T13:15:00Z }\n`
}

export function fileOf(n: number): TextFile {
  return { path: `tenants/sq/000/user${String(n).padStart(3, '0')}.yaml`, text: tenantText(n) }
}
