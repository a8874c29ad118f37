/**
 * Scrolls by name. SQ reads a coordinate made of words as garbage, so that different names share one scroll; here each name of a phext P
 * gets a scroll of its own. The names stand in the phext `P~names`, one a scroll from the first on, and the text of a name at the same
 * place in `P~text`. Both are ordinary phexts of the tenant, so that whatever carries its data carries them. Pure.
 */
import { LARGEST_NUMBER, type Coordinate } from './coordinate.ts'
import { isForbiddenPhext, isStorablePhext } from './sq-call.ts'

const NAMES = '~names'
const TEXT = '~text'
const WHOLE_NUMBER = /^[+-]?[0-9]+$/
/** A name is one line of a list, and `toc` shows it: no control characters. U+FFFD stands for what was no text, so it may stand for anything. */
const UNUSABLE = /[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffd]/

export const LONGEST_NAME_BYTES = 512
export const MOST_NAMES = 100_000

export const namesPhext = (phext: string): string => phext + NAMES
export const textPhext = (phext: string): string => phext + TEXT

/** Customers read these as they are, and write them by name only. */
export function isReservedPhext(phext: string): boolean {
  return phext.endsWith(NAMES) || phext.endsWith(TEXT)
}

/** Whether a coordinate, as it stands decoded in `c`, is a name: some part of it is neither a number nor empty. */
export function isName(text: string): boolean {
  return text.split(/[./;]/).some((part) => part.trim() !== '' && !WHOLE_NUMBER.test(part.trim()))
}

export type NameFault = 'too-long' | 'unusable' | 'phext-reserved' | 'phext-too-long'

/** What keeps a name from being used in a phext. The name itself is what was sent, to the letter. */
export function findNameFault(phext: string, name: string): NameFault | undefined {
  if (isReservedPhext(phext)) return 'phext-reserved'
  if (isForbiddenPhext(phext) || !isStorablePhext(namesPhext(phext))) return 'phext-too-long'
  if (UNUSABLE.test(name) || !name.isWellFormed()) return 'unusable'
  return new TextEncoder().encode(name).length > LONGEST_NAME_BYTES ? 'too-long' : undefined
}

/** Places count from 0: scrolls first, then sections, then chapters. */
export function coordinateOfPlace(place: number): Coordinate {
  const section = Math.floor(place / LARGEST_NUMBER)
  return [1, 1, 1, 1, 1, 1, Math.floor(section / LARGEST_NUMBER) + 1, (section % LARGEST_NUMBER) + 1, (place % LARGEST_NUMBER) + 1]
}

/** Undefined for a scroll at which no name can be. */
export function placeOfCoordinate(coordinate: Coordinate): number | undefined {
  if (coordinate.length !== 9 || coordinate.slice(0, 6).some((number) => number !== 1)) return undefined
  const [chapter, section, scroll] = coordinate.slice(6) as [number, number, number]
  return ((chapter - 1) * LARGEST_NUMBER + section - 1) * LARGEST_NUMBER + scroll - 1
}

/** What is appended to a scroll of the list to claim it. SQ appends one after the other, so whose line is first has the scroll. */
export const claimOf = (name: string): string => `${name}\n`

/** Undefined for a scroll that nobody has claimed. */
export function ownerOf(scroll: string): string | undefined {
  const end = scroll.indexOf('\n')
  return end <= 0 ? undefined : scroll.slice(0, end)
}
