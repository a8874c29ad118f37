/** Trials that agents asked for: how many from one network, and which call got which key. Kept for two days. */
import type { TenantId, Timestamp } from '../core/specs.ts'
import { transaction, type Store } from './db.ts'

export interface AgentSignup {
  /** Digest of the name that the agent gave its call. */
  readonly request: string
  /** Digest of what it asked for. */
  readonly asked: string
  /** Keyed digest. */
  readonly network: string
  readonly nonce: string
  readonly at: Timestamp
  /** What came of it; null while it is under way. */
  readonly tenant: TenantId | null
}

export interface AgentSignups {
  get(request: string): AgentSignup | undefined
  /** Durable when it returns. Where the network has `most` since then already, nothing is written, and the oldest of them is answered. */
  add(signup: Omit<AgentSignup, 'tenant'>, since: Timestamp, most: number): Timestamp | undefined
  settle(request: string, tenant: TenantId): void
  /** It came to nothing, and does not count. */
  remove(request: string): void
}

const KEPT_MS = 2 * 86_400_000

export function createAgentSignups(db: Store): AgentSignups {
  const get = db.prepare('SELECT request, asked, network, nonce, at, tenant FROM agent_signups WHERE request = ?')
  const ofNetwork = db.prepare('SELECT at FROM agent_signups WHERE network = ? AND at > ? ORDER BY at')
  const add = db.prepare('INSERT INTO agent_signups (request, asked, network, nonce, at) VALUES (?, ?, ?, ?, ?)')
  const settle = db.prepare('UPDATE agent_signups SET tenant = ? WHERE request = ?')
  const remove = db.prepare('DELETE FROM agent_signups WHERE request = ?')
  const sweep = db.prepare('DELETE FROM agent_signups WHERE at < ?')
  return {
    get: (request) => get.get(request) as AgentSignup | undefined,
    add: ({ request, asked, network, nonce, at }, since, most) =>
      transaction(db, () => {
        sweep.run(new Date(Date.parse(at) - KEPT_MS).toISOString())
        const before = ofNetwork.all(network, since) as { at: Timestamp }[]
        if (before.length >= most) return before[before.length - most]!.at
        add.run(request, asked, network, nonce, at)
        return undefined
      }),
    settle: (request, tenant) => void settle.run(tenant, request),
    remove: (request) => void remove.run(request),
  }
}
