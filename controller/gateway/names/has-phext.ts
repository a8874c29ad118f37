/** Whether a tenant has a phext, told by the folder of a shared SQ: SQ itself makes every phext that it is asked for. */
import { shardFolders } from '../../sq/files.ts'
import type { Granted } from '../access.ts'
import { phextSizesIn } from '../phext-sizes.ts'

/** Undefined where the data lies with an instance of the tenant's own. */
export type HasPhext = (access: Granted, phext: string) => Promise<boolean | undefined>

export function createHasPhext(home: string): HasPhext {
  const folders = shardFolders(home)
  return async ({ entry: { route } }, phext) => {
    if (route.shard === undefined) return undefined
    return (await phextSizesIn(folders.data(route.shard, route.tenant)).sizeOf(phext)) !== undefined
  }
}
