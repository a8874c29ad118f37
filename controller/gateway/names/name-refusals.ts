/** What can be wrong with a name, in words. Pure. */
import { LONGEST_NAME_BYTES, MOST_NAMES, type NameFault } from '../../core/named-scroll.ts'
import { LONGEST_PHEXT_NAME_BYTES } from '../../core/sq-call.ts'
import { REFUSALS, type Refusal } from '../refusal.ts'

export function nameFault(fault: NameFault, phext: string): Refusal {
  switch (fault) {
    case 'too-long':
      return unusable(`A name holds at most ${LONGEST_NAME_BYTES} bytes.`)
    case 'unusable':
      return unusable('A name is valid UTF-8 without control characters, line ends and U+FFFD.')
    case 'phext-reserved':
      return PHEXT_RESERVED
    case 'phext-too-long':
      return {
        status: 400,
        code: 'phext-name-unusable',
        title: 'The phext cannot hold names',
        detail: `The name of a phext that holds names has at most ${LONGEST_PHEXT_NAME_BYTES - '~names'.length} bytes; this one has ${Buffer.byteLength(phext)}.`,
      }
  }
}

function unusable(why: string): Refusal {
  return { status: 400, code: 'name-unusable', title: 'This cannot be a name', detail: `${why} The request was not passed on.`, measured: { field: 'c', limit: 'nameBytes', value: LONGEST_NAME_BYTES } }
}

export const NAME_UNKNOWN: Refusal = {
  status: 404,
  code: 'name-unknown',
  title: 'There is nothing under this name',
  detail: 'Nothing was stored under this name in this phext, or it was deleted. Names are compared to the letter.',
}

export const PHEXT_RESERVED: Refusal = {
  status: 403,
  code: 'phext-reserved',
  title: 'This phext is written by name only',
  detail: 'Phexts that end in "~names" and "~text" hold what is stored by name. They can be read; to change them, write to the name.',
}

export const TEXT_HAS_BREAKS: Refusal = {
  status: 400,
  code: 'text-has-breaks',
  title: 'The text holds break characters',
  detail: 'The characters 0x01 and 0x17 to 0x1F (but 0x1B) move what follows them to other scrolls, which belong to other names. Nothing was written. Leave them out, or write to nine numbers.',
}

export const NAMES_FULL: Refusal = {
  status: 507,
  code: 'names-full',
  title: 'The phext has no room for more names',
  detail: `One phext holds ${MOST_NAMES} names. Use another phext (parameter p).`,
  measured: { limit: 'names', value: MOST_NAMES, used: MOST_NAMES },
}

export function unexpected(status: number): Refusal {
  return { ...REFUSALS.instanceMalformed, detail: `The instance answered with ${status} where it should have read or written a name.` }
}
