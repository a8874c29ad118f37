/** Which phexts a tenant has. SQ has no call for it: the folder of a shared SQ tells, and of other instances the controller is asked. */
import { shardFolders } from '../../sq/files.ts'
import type { Granted } from '../passage.ts'
import { phextSizesIn } from '../phext-sizes.ts'
import type { Refusal } from '../refusal.ts'
import { TRANSFER_REFUSALS } from './import-refusals.ts'

export type Listed = { readonly kind: 'listed'; readonly names: readonly string[] } | { readonly kind: 'refused'; readonly refusal: Refusal }

export type PhextNames = (access: Granted) => Promise<Listed>

export function createPhextNames(home: string): PhextNames {
  const folders = shardFolders(home)
  return async ({ entry: { route } }) => {
    if (route.shard === undefined) return { kind: 'refused', refusal: TRANSFER_REFUSALS.notListed }
    const { phexts } = await phextSizesIn(folders.data(route.shard, route.tenant)).list!()
    return { kind: 'listed', names: [...phexts.keys()] }
  }
}
