/**
 * How often credentials that open nothing came from one address, in memory that all threads share. Addresses are told apart by a keyed
 * hash: two that meet share a bucket, and nobody can look for such a pair. A bucket leaks, and an address that was quiet is forgotten.
 */
import { hash } from 'node:crypto'
import { isIPv6 } from 'node:net'
import { takeOne, type Rate } from '../../core/gcra.ts'

export interface FailedAttempts {
  /** Notes one; answers how long to wait where there were too many. */
  failed(address: string): number | undefined
}

/** A mistyped key in a busy program is no attack: it is told what is wrong a hundred times first. */
export const ATTEMPTS: Rate = { perSecond: 2, burst: 100 }

const BUCKETS = 2 ** 16

export const failedAttemptsBuffer = (): SharedArrayBuffer => new SharedArrayBuffer(BUCKETS * 8)

/** `salt`: equal in all threads. `steadyMs`: a clock that is the same in all threads. Counting needs no lock: at worst two at one instant count as one. */
export function createFailedAttempts(buffer: SharedArrayBuffer, salt: string, steadyMs: () => number, rate: Rate = ATTEMPTS): FailedAttempts {
  const states = new Float64Array(buffer)
  return {
    failed(address) {
      const bucket = hash('sha256', `${salt} ${networkOf(address)}`, 'buffer').readUInt32LE() % BUCKETS
      const taken = takeOne(states[bucket]!, steadyMs(), rate)
      if (taken.kind === 'wait') return taken.waitMs
      states[bucket] = taken.state
      return undefined
    },
  }
}

/** A customer of IPv6 has a network of addresses, which count as one. */
function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.split('%')[0]!.split('::')
  const start = head === '' ? [] : head.split(':')
  const zeros = tail === undefined ? 0 : 8 - start.length - (tail === '' ? 0 : tail.split(':').length)
  return [...start, ...Array<string>(zeros).fill('0'), ...(tail ?? '').split(':')].slice(0, 4).join(':')
}
