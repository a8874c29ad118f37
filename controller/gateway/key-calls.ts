/**
 * `/api/keys`: keys that agents make from their own. Whose key asks is found here; what comes of it is decided by the controller, which
 * believes exactly the headers that are set here. The key itself goes no further.
 */
import { stateRefusal } from './access.ts'
import type { Incoming } from './data-path.ts'
import type { ControlPlane } from './control-plane.ts'
import { TOKEN_ID } from './identify.ts'
import type { Refuse } from './passage.ts'
import { REFUSALS } from './refusal.ts'
import type { RouteReader } from './route-reader.ts'
import type { TableKey } from './route-table.ts'

const KEYS = '/api/keys'

export function isKeyCall(path: string): boolean {
  return path === KEYS || path.startsWith(`${KEYS}/`)
}

export interface KeyCallParts {
  readonly routes: RouteReader
  readonly controlPlane: ControlPlane
}

export function createKeyCalls({ routes, controlPlane }: KeyCallParts, refuse: Refuse): (incoming: Incoming, entry: TableKey) => void {
  return (incoming, entry) => {
    const { request, response, target, requestId, expectsContinue } = incoming
    if (entry.id === TOKEN_ID) return refuse(incoming, REFUSALS.tokenHasNoKeys, entry)
    // Looking and revoking go on while an account is suspended; nothing new is made.
    const unserved = entry.route.state === 'suspended' && request.method !== 'POST' ? undefined : stateRefusal(entry.route, routes.links)
    if (unserved !== undefined) return refuse(incoming, unserved, entry)
    if (expectsContinue) response.writeContinue()
    controlPlane.pass(request, response, target, requestId, { tenant: entry.route.tenant, key: entry.id })
  }
}
