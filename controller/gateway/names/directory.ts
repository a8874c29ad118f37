/** The names of one phext as they stand in its list, by name and by place. Pure. */
import { ownerOf, placeOfCoordinate } from '../../core/named-scroll.ts'
import { coordinateOf, forEachScroll } from '../../sq/bundled/phext.ts'

export interface Directory {
  placeOf(name: string): number | undefined
  nameAt(place: number): string | undefined
  /** In the order in which they were first written. */
  readonly names: Iterable<readonly [name: string, place: number]>
  /** The first place that nobody had claimed. */
  readonly next: number
  readonly bytes: number
}

/** What a name takes in memory beside its characters. */
const OVERHEAD_BYTES = 150

/** `list`: the text of the phext of names. */
export function readDirectory(list: string): Directory {
  const byName = new Map<string, number>()
  const byPlace = new Map<number, string>()
  let next = 0
  let bytes = 0
  forEachScroll(list, (key, scroll) => {
    const place = placeOfCoordinate(coordinateOf(key))
    const owner = ownerOf(scroll)
    if (place === undefined || owner === undefined) return
    next = Math.max(next, place + 1)
    byPlace.set(place, owner)
    bytes += owner.length + OVERHEAD_BYTES
    // The first place is the name's: nobody claims another one, but a restored or edited list may say so.
    if (!byName.has(owner)) byName.set(owner, place)
  })
  return { placeOf: (name) => byName.get(name), nameAt: (place) => byPlace.get(place), names: byName, next, bytes }
}
