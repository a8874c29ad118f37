/** Which phexts a tenant has. SQ has no call for it: the folder of a shared SQ tells, and of other instances the controller is asked. */
import { shardFolders } from '../../sq/files.ts'
import type { Granted } from '../passage.ts'
import { phextSizesIn } from '../phext-sizes.ts'
import type { Refusal } from '../refusal.ts'
import { webSocketPath } from '../sockets.ts'
import { TRANSFER_REFUSALS } from './import-refusals.ts'
import { askPhexts, type PhextsAsked } from './phexts-asked.ts'

export type Listed = { readonly kind: 'listed'; readonly names: readonly string[] } | { readonly kind: 'refused'; readonly refusal: Refusal }

export type PhextNames = (access: Granted) => Promise<Listed>

export function createPhextNames(home: string): PhextNames {
  const folders = shardFolders(home)
  return async ({ entry: { route } }) => {
    if (route.shard === undefined) return listedOr(await askPhexts(webSocketPath(home), route.tenant))
    const { phexts } = await phextSizesIn(folders.data(route.shard, route.tenant)).list!()
    return { kind: 'listed', names: [...phexts.keys()] }
  }
}

function listedOr(asked: PhextsAsked): Listed {
  if (asked.kind === 'listed') return asked
  return { kind: 'refused', refusal: asked.kind === 'away' ? TRANSFER_REFUSALS.notListedNow : TRANSFER_REFUSALS.notListed }
}
