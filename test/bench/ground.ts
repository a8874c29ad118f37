/**
 * What a bench stands on: a temporary folder, a tenant repository of any size, the real program on it, and its customers.
 * Everything that was made is gone, and everything that was started has ended, when `ground` resolves.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { DerivedKeySpec, TenantId } from '../../controller/core/specs.ts'
import { createBareRepository } from '../../controller/git/bare-repository.ts'
import { createKeyring, parseMasterKey } from '../../controller/keyring.ts'
import { createProgram, type Program } from './program.ts'
import { openShop, type Shop } from './shop.ts'

const SAMPLE = path.resolve(import.meta.dirname, '../../tenants')
const SHARED = ['platform.yaml', 'products/sq.yaml', 'plans/sq-founder.yaml', 'plans/sq-standard.yaml']
const MASTER_KEY = `1:${'7e'.repeat(32)}`
const TENANTS_A_BUCKET = 100

const keyring = createKeyring(parseMasterKey(MASTER_KEY))

export interface Ground {
  readonly program: Program
  readonly shop: Shop
  readonly home: string
  git(...args: string[]): string
  /** What a bench opens is closed before the ground goes. */
  readonly atEnd: (end: () => unknown) => void
}

export interface GroundOptions {
  readonly tenants: number
  readonly settings?: Readonly<Record<string, string>>
}

/** Runs `work` on a fresh installation that is not started yet. */
export async function onGround<T>({ tenants, settings = {} }: GroundOptions, work: (ground: Ground) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tenantry-bench-'))
  const home = path.join(folder, 'home')
  const ends: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 })]
  const atEnd = (end: () => unknown): void => void ends.push(end)
  try {
    const late: { program?: Program } = {}
    const shop = await openShop(() => `${late.program!.run.localUrl}/api/stripe/webhook`)
    atEnd(shop.close)
    const program = (late.program = createProgram(home, { TENANTRY_MASTER_KEY: MASTER_KEY, ...shop.settings, ...settings }))
    atEnd(program.end)
    await makeRepository(path.join(home, 'tenants.git'), tenants)
    const git = (...args: string[]): string => execFileSync('git', ['-C', path.join(home, 'tenants.git'), ...args], { encoding: 'utf8' }).trim()
    return await work({ program, shop, home, git, atEnd })
  } finally {
    for (const end of ends.reverse()) await end()
  }
}

/** The shared files of the sample, with slots for everybody, and so many tenants of SQ Cloud. */
async function makeRepository(folder: string, tenants: number): Promise<void> {
  const shared = SHARED.map((name) => ({ path: name, text: readFileSync(path.join(SAMPLE, name), 'utf8').replace('slots: 500', 'slots: 1000000') }))
  const files = Array.from({ length: tenants }, (_none, index) => ({ path: tenantPath(index + 1), text: tenantText(index + 1) }))
  await createBareRepository({ folder, branch: 'main', files: [...shared, ...files], message: 'bench: tenants', environment: process.env, now: () => new Date() })
}

export const tenantOf = (n: number): TenantId => `user${String(n).padStart(3, '0')}` as TenantId

export const tenantPath = (n: number): string => `tenants/sq/${String(Math.floor(n / TENANTS_A_BUCKET)).padStart(3, '0')}/${tenantOf(n)}.yaml`

const keySpec = (n: number, round: number): DerivedKeySpec => ({ id: `k${round + 1}`, nonce: `b${String(round).padStart(5, '0')}${String(n).padStart(26, '0')}`, createdAt: '2026-02-12T13:15:00Z' })

/** A tenant's file; `round` counts its changes, each of which brings another key. */
export function tenantText(n: number, round = 0): string {
  const id = tenantOf(n)
  const key = keySpec(n, round)
  return `# yaml-language-server: $schema=../../../schemas/tenant.schema.json
apiVersion: tenantry.dev/v1
kind: Tenant
metadata:
  name: ${id}
spec:
  product: sq
  plan: sq-founder
  owner:
    email: ${id}@example.com
    username: u${n}
  state: active
  limits:
    storageMb: ${2000 + round}
  keys:
    - id: ${key.id}
      nonce: ${key.nonce}
      createdAt: ${key.createdAt}
  billing:
    customer: cus_BENCH${n}
    subscription: sub_BENCH${n}
    checkout: cs_test_BENCH${n}
`
}

export const keyOf = (n: number, round = 0): string => keyring.keyOf(tenantOf(n), keySpec(n, round))

export interface Customers {
  /** Whether the key stores: 200 from its own memory, through the gateway. */
  works(key: string): Promise<boolean>
  /** Resolves with the instant at which the key worked for the first time. */
  untilWorks(key: string, limitMs?: number): Promise<number>
  close(): void
}

const POLL_MS = 1

export function createCustomers(port: number): Customers {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })

  function works(key: string): Promise<boolean> {
    return new Promise((resolve) => {
      const asked = request({ agent, host: '127.0.0.1', port, method: 'POST', path: '/api/v2/update?p=bench&c=1.1.1/1.1.1/1.1.1', headers: { authorization: `Bearer ${key}`, 'content-length': 5 } }, (answer) => {
        answer.resume()
        answer.on('end', () => resolve(answer.statusCode === 200))
      })
      asked.on('error', () => resolve(false))
      asked.end('bench')
    })
  }

  return {
    works,
    async untilWorks(key, limitMs = 60_000) {
      const deadline = performance.now() + limitMs
      while (performance.now() < deadline) {
        if (await works(key)) return performance.now()
        await pause(POLL_MS)
      }
      throw new Error(`a key did not work within ${limitMs} ms`)
    },
    close: () => agent.destroy(),
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** The live keys in all rendered files, by tenant: what a buyer is shown. Files that did not change are not read again. */
export function createKeyReader(home: string): () => ReadonlyMap<string, string> {
  const marks = new Map<string, number>()
  const keys = new Map<string, string>()
  return () => {
    for (const shard of readdirSync(path.join(home, 'sq'))) {
      const file = path.join(home, 'sq', shard, 'tenants.json')
      const mark = statSync(file, { throwIfNoEntry: false })?.ino
      if (mark === undefined || marks.get(file) === mark) continue
      marks.set(file, mark)
      const { tenants } = JSON.parse(readFileSync(file, 'utf8')) as { tenants: Record<string, { name: string; key_id?: string }> }
      for (const [key, { name, key_id }] of Object.entries(tenants)) if (key_id !== 'INSTANCE') keys.set(name, key)
    }
    return keys
  }
}
