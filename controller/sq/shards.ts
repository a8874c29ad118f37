/**
 * Keeps one shard of a shared SQ as wanted: renders its tenants.json, makes SQ run, and makes SQ accept exactly that file.
 * Acceptance is asked with the rendered file's own probe key, never assumed, since SQ answers a reload before it has read the
 * file. Many tenants of a shard may ask at once: they share one round.
 */
import { hash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import type { FieldDrift } from '../core/container.ts'
import type { ShardName } from '../core/placement.ts'
import type { TenantsJson } from '../core/tenants-json.ts'
import { untilAccepted } from './accept.ts'
import { isPrivate, markOf, modeOf, readIfThere, writeSecretFile, type FileMark, type ShardFolders } from './files.ts'
import type { SqInstances } from './instance.ts'

export interface ShardState {
  readonly port: number
  /** What had to be done; empty on a pass that changed nothing. */
  readonly repairs: readonly { readonly action: string; readonly drift: readonly FieldDrift[] }[]
}

/** A rendered file that SQ accepted: enough to see later, without rendering it, that it still is the wanted one. */
export interface StandingShard {
  /** SHA-256 of the file, in hex. */
  readonly digest: string
  /** As in TenantsJson. */
  readonly about: string
  readonly port: number
}

export interface Shards {
  /** Resolves once SQ serves the shard's present members, and only then. */
  sync(shard: ShardName): Promise<ShardState>
  /** Tells that a member of the shard is wanted otherwise now. */
  invalidate(shard: ShardName): void
  /** Tells that the world may have changed under the shard: the next sync looks at everything again. */
  distrust(shard: ShardName): void
  /** The shard's members are wanted exactly as when this stood: a file with its digest need not be rendered again. Before the first sync. */
  trust(shard: ShardName, standing: StandingShard): void
  /** Undefined while anything about the shard is not as wanted. */
  standing(shard: ShardName): StandingShard | undefined
  stop(shard: ShardName): Promise<void>
  /** The port of the last successful sync. */
  portOf(shard: ShardName): number | undefined
}

export interface ShardsOptions {
  readonly folders: ShardFolders
  readonly instances: (shard: ShardName) => SqInstances
  /** The shard's file as its members are wanted now. */
  readonly render: (shard: ShardName) => TenantsJson
  readonly probeKeyOf: (about: string) => string
  /** Called when a shard's SQ serves on another port than before: every member's route is another now. */
  readonly onMoved: (shard: ShardName) => void
  /** Called with the time that SQ took to accept a new file. */
  readonly onReload?: (seconds: number) => void
}

interface Known {
  /** Counts what was asked of the shard; `syncedVersion` is the count that the last round satisfied. */
  version: number
  syncedVersion: number
  /** The count at which the file was last rendered, the mark it has since, and the key that proves it loaded. Its text is not kept. */
  renderedVersion: number
  mark: FileMark | undefined
  rendered: { readonly probeKey: string; readonly digest: string; readonly about: string }
  trusted: StandingShard | undefined
  port: number | undefined
  round: Promise<ShardState> | undefined
  next: Promise<ShardState> | undefined
}

export function createShards(options: ShardsOptions): Shards {
  const shards = new Map<ShardName, Known>()
  const known = (shard: ShardName): Known => {
    let state = shards.get(shard)
    if (state === undefined) {
      state = { version: 1, syncedVersion: 0, renderedVersion: 0, mark: undefined, rendered: { probeKey: '', digest: '', about: '' }, trusted: undefined, port: undefined, round: undefined, next: undefined }
      shards.set(shard, state)
    }
    return state
  }

  async function sync(shard: ShardName): Promise<ShardState> {
    const state = known(shard)
    if (state.version === state.syncedVersion && state.port !== undefined && options.instances(shard).isUp(shard)) return { port: state.port, repairs: [] }
    if (state.round === undefined) return (state.round = runRound(shard, state).finally(() => (state.round = undefined)))
    // A round under way may have rendered already: wait for it, then share one more with everybody who came meanwhile.
    state.next ??= state.round.then(
      () => undefined,
      () => undefined,
    ).then(() => {
      state.next = undefined
      return sync(shard)
    })
    return state.next
  }

  async function runRound(shard: ShardName, state: Known): Promise<ShardState> {
    const { version } = state
    const repairs: { action: string; drift: FieldDrift[] }[] = []
    const written = await writeIfOther(shard, state, version)
    if (written !== undefined) repairs.push(written)
    // One engine for the whole round, whatever the product says meanwhile.
    const instances = options.instances(shard)
    const running = await instances.ensure(shard)
    if (running.action !== 'none') repairs.push({ action: `sq-${running.action}`, drift: [...running.drift] })
    // Whoever edited the file may have had it loaded, and the probe key may stand in it: it proves nothing then.
    if (written !== undefined && written.drift.length > 0 && running.action !== 'started') await instances.reload(shard, running.port)
    const port = await untilAccepted({ shard, instances, folders: options.folders, onReload: options.onReload }, running, state.rendered.probeKey)
    const moved = state.port !== undefined && state.port !== port
    state.port = port
    state.syncedVersion = version
    if (moved) options.onMoved(shard)
    return { port, repairs }
  }

  /** Renders and writes the file where it is not the wanted one. An edit by hand is a drift; a change of ours is not. */
  async function writeIfOther(shard: ShardName, state: Known, version: number): Promise<{ action: string; drift: FieldDrift[] } | undefined> {
    const file = options.folders.config(shard)
    const mark = await markOf(file)
    if (state.renderedVersion === version && mark !== undefined && mark === state.mark) return undefined
    const touched = state.mark !== undefined && mark !== state.mark
    const found = await readIfThere(file)
    const trusted = stillTrusted(state, found, mark)
    if (trusted !== undefined) {
      state.rendered = { probeKey: options.probeKeyOf(trusted.about), digest: trusted.digest, about: trusted.about }
      state.mark = mark
      state.renderedVersion = version
      return undefined
    }
    const { text, probeKey, about } = options.render(shard)
    state.rendered = { probeKey, about, digest: hash('sha256', text) }
    const differs = found !== text || !isPrivate(mark)
    if (differs) {
      await mkdir(options.folders.probe(shard), { recursive: true, mode: 0o700 })
      await writeSecretFile(file, text)
    }
    state.mark = await markOf(file)
    state.renderedVersion = version
    if (!differs) return undefined
    return { action: 'file-written', drift: touched ? [{ field: `sq/${shard}/tenants.json`, wanted: 'as rendered, mode 600', found: foundInstead(found, text, mark) }] : [] }
  }

  return {
    sync,
    invalidate: (shard) => void known(shard).version++,
    trust: (shard, standing) => void (known(shard).trusted = standing),
    standing: (shard) => standingOf(shards.get(shard)),
    distrust: (shard) => void (known(shard).syncedVersion = 0),
    async stop(shard) {
      await options.instances(shard).stop(shard)
      shards.delete(shard)
    },
    portOf: (shard) => shards.get(shard)?.port,
  }
}

function standingOf(state: Known | undefined): StandingShard | undefined {
  if (state === undefined || state.syncedVersion !== state.version || state.renderedVersion !== state.version || state.port === undefined) return undefined
  return { digest: state.rendered.digest, about: state.rendered.about, port: state.port }
}

/** Only until it is rendered for the first time: from then on the process knows by itself what is wanted. */
function stillTrusted({ trusted, renderedVersion, version }: Known, found: string | undefined, mark: FileMark | undefined): StandingShard | undefined {
  if (renderedVersion > 0 || version > 1 || found === undefined || !isPrivate(mark)) return undefined
  return trusted !== undefined && hash('sha256', found) === trusted.digest ? trusted : undefined
}

function foundInstead(found: string | undefined, wanted: string, mark: FileMark | undefined): string {
  if (found === undefined) return 'deleted'
  return found === wanted ? `mode ${modeOf(mark)}` : 'changed by hand'
}
