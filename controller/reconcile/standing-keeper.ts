/**
 * Keeps the file of standing tenants (standing.ts) near to what is in force, while nothing else is to be done: after a start that had
 * to read everything, and when so much has changed since that reading it would cost more than it spares. A few hundred tenants at
 * a time, so that a payment does not wait for it.
 */
import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { TenantId } from '../core/specs.ts'
import type { RouteWriter } from '../gateway/route-writer.ts'
import type { LooseTenants } from '../store/loose-tenants.ts'
import type { Meta } from '../store/meta.ts'
import { writeStandingFile } from '../store/standing-file.ts'
import type { ReconcileDependencies } from './ports.ts'
import type { Source } from './source.ts'
import { createCapture } from './standing-capture.ts'
import { removeStrays, sharedInForce } from './standing.ts'

export interface StandingKeeper {
  /** Writes the file where that is worth it. Never rejects: a failure is logged and leaves the file that is in force. */
  consider(): Promise<void>
  close(): Promise<void>
}

export interface StandingKeeperOptions {
  readonly deps: ReconcileDependencies & { readonly meta: Meta }
  readonly source: Pick<Source, 'revision' | 'standing' | 'onTouched'>
  readonly routes: Pick<RouteWriter, 'position' | 'seal' | 'digestOf'>
  readonly loose: LooseTenants
  readonly folder: string
  readonly madeWith: string
  /** Whether anything is to be done for the tenant yet. */
  readonly isBusy: (id: TenantId) => boolean
}

/** What decides whether a start could use the file in force, and with how much profit. */
interface InForce {
  readonly size: number
  readonly generation: string | undefined
  readonly shared: string
}

/** So many tenants, or this part of all, are read by themselves at a start before the file is written anew. */
const LOOSE_AT_LEAST = 100
const LOOSE_PART = 50

class Ended extends Error {}

export function createStandingKeeper(options: StandingKeeperOptions): StandingKeeper {
  const { deps, source, loose } = options
  let writing: Promise<void> | undefined
  let closed = false
  let inForce: InForce | undefined

  const goesOn = (): void => {
    if (closed) throw new Ended()
  }

  function isWorthIt(): boolean {
    inForce ??= began(source)
    if (inForce === undefined || inForce.generation !== options.routes.position?.generation || inForce.shared !== JSON.stringify(sharedInForce(deps.meta))) return true
    return loose.count() > Math.max(LOOSE_AT_LEAST, inForce.size / LOOSE_PART)
  }

  async function write(): Promise<void> {
    const file = randomUUID()
    const round = loose.begin()
    const capture = createCapture(options, goesOn)
    try {
      await mkdir(options.folder, { recursive: true, mode: 0o700 })
      const { digest, head, rows } = await writeStandingFile(path.join(options.folder, file), capture.rows(), capture.finish)
      goesOn()
      loose.finish(round, { file, digest }, capture.left)
      inForce = { size: rows, generation: head.routes?.generation, shared: JSON.stringify(head.shared) }
      deps.log.debug({ tenants: rows, left: capture.left.size }, 'standing tenants written down')
    } finally {
      capture.end()
      await removeStrays(options.folder, loose.mark?.file)
    }
  }

  return {
    async consider() {
      if (closed || writing !== undefined || source.revision === undefined || !isWorthIt()) return
      writing = write().catch((err: unknown) => {
        if (!(err instanceof Ended)) deps.log.warn({ err }, 'the standing tenants cannot be written down: the next start reads everything')
      })
      await writing
      writing = undefined
    },
    async close() {
      closed = true
      await writing
    },
  }
}

/** The file that this process itself began with. */
function began({ standing }: Pick<Source, 'standing'>): InForce | undefined {
  return standing && { size: standing.tenants.size, generation: standing.head.routes?.generation, shared: JSON.stringify(standing.head.shared) }
}
