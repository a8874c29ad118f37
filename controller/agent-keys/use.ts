/** What keys were used for, from the gateway's own file, read beside it. */
import { readUsage, usagePath } from '../store/usage.ts'
import type { KeyUse } from './agent-keys.ts'

const EVER = '0000-00-00'

export function readKeyUse(home: string, tenant: string): KeyUse {
  const usage = readUsage(usagePath(home))
  try {
    if (usage === undefined) return { lastUsedAt: new Map(), requests: new Map() }
    return { lastUsedAt: usage.lastUsed(tenant), requests: new Map(usage.keysSince(tenant, EVER).map(({ key, requests }) => [key, requests])) }
  } finally {
    usage?.close()
  }
}
