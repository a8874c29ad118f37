/**
 * Who is asking: a key of ours, or a token of a product's own issuer, and whether the host name agrees. Whoever fails too often from one
 * address is told to wait; a good key from there still opens. Answers at once for keys; tokens may need their issuer's keys first.
 */
import { findCredentials, findEntry, type AccessContext, type Identity } from './access.ts'
import type { FailedAttempts } from './shared/failed-attempts.ts'
import { meaningOf, type HostMeaning } from './host-names.ts'
import { REFUSALS, tooManyFailedAttempts, type Refusal } from './refusal.ts'
import type { TableKey, TableRoute } from './route-table.ts'
import { mayBeToken, type Tokens } from './tokens.ts'
import type { TenantId } from '../core/specs.ts'

export interface Asking {
  readonly rawHeaders: readonly string[]
  readonly host: string | undefined
  readonly address: string
}

/** `decide` must not throw. */
export type Identify = (asking: Asking, context: AccessContext, decide: (identity: Identity) => void) => void

export interface IdentifyParts {
  readonly tokens: Tokens
  readonly failedAttempts: FailedAttempts
}

/** What says nothing about a guess: nothing was sent, or it could not be looked at. */
const NO_GUESS: ReadonlySet<string> = new Set([REFUSALS.keyMissing.code, REFUSALS.keysConflict.code, REFUSALS.tokenKeysUnavailable.code, REFUSALS.tokenExpired.code])
/** In place of a key's id; those have no capitals. */
export const TOKEN_ID = 'JWT'

export function createIdentify({ tokens, failedAttempts }: IdentifyParts): Identify {
  function refuse(refusal: Refusal, address: string): Identity {
    if (NO_GUESS.has(refusal.code)) return { kind: 'refused', refusal }
    const waitMs = failedAttempts.failed(address)
    return { kind: 'refused', refusal: waitMs === undefined ? refusal : tooManyFailedAttempts(waitMs) }
  }

  async function byToken(token: string, host: HostMeaning, { table, facts }: AccessContext, address: string): Promise<Identity> {
    const outcome = await tokens.verify(token, facts.products)
    if (outcome.kind === 'bad') return refuse(outcome.refusal, address)
    const route = table.findTenant(outcome.tenant as TenantId)
    if (route?.product !== outcome.product) return refuse(REFUSALS.tokenInvalid, address)
    return atHost({ id: TOKEN_ID, name: undefined, route, expiresAtMs: outcome.expiresAtMs, narrower: undefined }, token, host)
  }

  return (asking, context, decide) => {
    const host = meaningOf(asking.host, context.facts.products)
    if (host.kind === 'nobody') return decide({ kind: 'refused', refusal: REFUSALS.hostUnknown })
    const credentials = findCredentials(asking.rawHeaders)
    const identity = findEntry(credentials, context)
    if (identity.kind === 'known') return decide(atHost(identity.entry, identity.key, host))
    if (credentials.kind !== 'key' || !mayBeToken(credentials.key, context.facts.products)) return decide(refuse(identity.refusal, asking.address))
    void byToken(credentials.key, host, context, asking.address).then(decide)
  }
}

/** Whether the name is somebody else's or nobody's makes no difference: who holds a key learns nothing about others. */
function atHost(entry: TableKey, key: string, host: HostMeaning): Identity {
  return host.kind === 'tenant' && !isFor(host, entry.route) ? { kind: 'refused', refusal: REFUSALS.hostKeyMismatch, entry } : { kind: 'known', key, entry }
}

function isFor({ product, id }: { readonly product: string; readonly id: string }, route: TableRoute): boolean {
  return route.tenant === id && route.product === product
}
