/** Good files to start from, and the problems of a file as the lines that a person sees. */
import { formatProblem } from '../../controller/core/problem.ts'
import type { AnySpec, Tenant } from '../../controller/core/specs.ts'
import { createSpecParser } from '../../controller/specs/parse.ts'

export const parser = createSpecParser()

export const TENANT_PATH = 'tenants/sq/000/user001.yaml'

export const TENANT = `apiVersion: tenantry.dev/v1
kind: Tenant
metadata:
  name: user001
spec:
  product: sq
  plan: sq-founder
  owner: { email: ada@example.com, username: ada }
  state: active
  limits:
    storageMb: 5000
  keys:
    - { id: k1, nonce: 5b1c0d9e7f3a42618b0c5d2e9f7a1364, createdAt: 2026-02-12T13:15:00Z }
  billing: { customer: cus_A1, subscription: sub_A1, checkout: cs_test_A1 }
`

export const PRODUCT = `apiVersion: tenantry.dev/v1
kind: Product
metadata: { name: sq-dedicated }
spec:
  title: Dedicated
  tenantId: { prefix: sqd, digits: 3 }
  api: { path: /api/v2/ }
  run:
    kind: container
    image: tenantry/sq:0.6.0
    ports:
      - { name: http, port: 1337 }
    volumes:
      - { name: data, path: /data }
    health: { port: http, path: /api/v2/version }
    pidsLimit: 64
    stopGraceSeconds: 10
    memoryMb: 256
    cpus: 0.5
`

export const PLAN = `apiVersion: tenantry.dev/v1
kind: Plan
metadata: { name: sq-founder }
spec:
  product: sq
  title: Founder
  tier: founder
  prices: { month: { amount: 1000, currency: usd } }
  limits: { storageMb: 1000 }
`

export const PLATFORM = `apiVersion: tenantry.dev/v1
kind: Platform
metadata: { name: sample }
spec:
  domain: example.com
  deletionLimit: { count: 5, sharePercent: 10 }
  retentionDays: 30
  keyOverlapHours: 24
  bounds: { storageMb: 100000 }
`

/** The problems of a text as `validate` prints them, without the file's name; empty for a good file. */
export function complaints(path: string, text: string): string[] {
  const parsed = parser.parse(path, text)
  return parsed.kind === 'ok' ? [] : parsed.problems.map((problem) => formatProblem(problem).slice(problem.file.length + 1))
}

export function parseGood(path: string, text: string): AnySpec {
  const parsed = parser.parse(path, text)
  if (parsed.kind === 'bad') throw new Error(parsed.problems.map(formatProblem).join('\n'))
  return parsed.spec
}

export function parseTenant(text: string): Tenant {
  return parseGood(TENANT_PATH, text) as Tenant
}
