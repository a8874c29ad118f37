/**
 * Addresses as keyed digests, and the tokens by which a reader declines hints: the address stands neither in a link nor in the list of
 * those who declined. Both depend on a version of the master secret; what was declined under an older one is found and carried over.
 */
import type { Mac } from '../core/keys.ts'
import type { Timestamp } from '../core/specs.ts'
import type { MailRefusals } from '../store/mails.ts'

export interface AddressBook {
  token(address: string): string
  /** Undefined for what is no token of ours. */
  read(token: string): string | undefined
  /** By the address. */
  refuses(address: string): boolean
  /** By what a token says. */
  isDeclined(id: string): boolean
  decline(id: string): void
  accept(id: string): void
}

export interface AddressBookOptions {
  readonly keyring: { readonly mac: Mac; readonly masterVersion: number; readonly masterVersions: readonly number[] }
  readonly refusals: MailRefusals
  readonly now: () => Date
}

const DIGITS = 32
const TOKEN = /^(\d{1,6})\.([0-9a-f]{32})\.([0-9a-f]{32})$/

export function createAddressBook({ keyring, refusals, now }: AddressBookOptions): AddressBook {
  const { mac, masterVersion, masterVersions } = keyring
  const timestamp = (): Timestamp => now().toISOString()
  const idOf = (version: number, address: string): string => `${version}.${mac(version, `tenantry/mail-address/v1\n${address.trim().toLowerCase()}`).slice(0, DIGITS)}`
  const seal = (id: string): string => mac(Number(id.split('.')[0]), `tenantry/unsubscribe/v1\n${id}`).slice(0, DIGITS)
  return {
    token(address) {
      const id = idOf(masterVersion, address)
      return `${id}.${seal(id)}`
    },
    read(token) {
      const [, version, digest, given] = TOKEN.exec(token) ?? []
      if (version === undefined || !masterVersions.includes(Number(version))) return undefined
      const id = `${version}.${digest}`
      return isSame(seal(id), given!) ? id : undefined
    },
    refuses(address) {
      const newest = idOf(masterVersion, address)
      if (refusals.has(newest)) return true
      const declined = masterVersions.some((version) => refusals.has(idOf(version, address)))
      if (declined) refusals.add(newest, timestamp())
      return declined
    },
    isDeclined: (id) => refusals.has(id),
    decline: (id) => refusals.add(id, timestamp()),
    accept: (id) => refusals.remove(id),
  }
}

/** In the same time wherever they differ; both are as long. */
function isSame(a: string, b: string): boolean {
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i)
  return difference === 0
}
