/** The refusals that measure: each says what limit, how much of it was used, when it resets and where more is to be had. What more costs is told by offers.ts. Pure. */
import type { DeltaFault, Dimension } from '../core/coordinate.ts'
import { LARGEST_PHEXT_BYTES } from '../core/growth.ts'
import type { Rate } from '../core/gcra.ts'
import type { Ceiling } from '../core/quota.ts'
import type { Refusal } from './refusal.ts'
import type { Links } from './route-log.ts'

function upgrade({ upgrade }: Links): { link?: string } {
  return upgrade === undefined ? {} : { link: upgrade }
}

export function rateExceeded({ perSecond, burst, fairUse }: Rate & { readonly fairUse: boolean }, waitMs: number, links: Links): Refusal {
  const retryAfterSeconds = Math.max(1, Math.ceil(Math.round(waitMs) / 1000))
  const detail = `Up to ${perSecond} requests a second pass, ${burst} at once after a rest. Nothing was done; send it again in ${retryAfterSeconds} s.`
  const measured = { limit: 'requestsPerSecond', value: perSecond, burst, unit: 'requests a second', fairUse, retryAfterMs: Math.ceil(waitMs) }
  return { status: 429, code: 'rate-exceeded', title: 'Too many requests a second', detail, retryAfterSeconds, measured, ...upgrade(links) }
}

/** `key`: the one that the limit is of, which may be one above the key that was sent. */
export function keyRateExceeded(key: string, perSecond: number, waitMs: number): Refusal {
  const retryAfterSeconds = Math.max(1, Math.ceil(Math.round(waitMs) / 1000))
  const detail = `Key ${key} lets up to ${perSecond} requests a second pass, those of keys made from it included. Nothing was done; send it again in ${retryAfterSeconds} s.`
  const measured = { limit: 'access.requestsPerSecond', key, value: perSecond, unit: 'requests a second', retryAfterMs: Math.ceil(waitMs) }
  return { status: 429, code: 'key-rate-exceeded', title: 'Too many requests a second with this key', detail, retryAfterSeconds, measured }
}

/** No time brings it back: not a 429, which programs repeat. */
export function keyBudgetSpent(key: string, budget: number, spent: number): Refusal {
  const detail = `Key ${key} was made for ${budget} requests, those of keys made from it included, and they are used up. Use another key, or have one made with a larger budget.`
  return { status: 403, code: 'key-budget-spent', title: 'The key\'s requests are used up', detail, measured: { limit: 'access.requests', key, value: budget, unit: 'requests', used: spent } }
}

const PERIODS = { requestsPerDay: 'day', requestsPerMonth: 'month' } as const

export function quotaUsed(limit: keyof typeof PERIODS, { value, fairUse }: Ceiling, used: number, resetAtMs: number, nowMs: number, links: Links): Refusal {
  const resetAt = new Date(resetAtMs).toISOString()
  const period = PERIODS[limit]
  const whose = fairUse ? 'the fair-use ceiling of this plan' : 'this account\'s limit'
  const detail = `${used} requests were made this ${period}; ${whose} is ${value}. It begins anew at ${resetAt} (UTC).`
  const measured = { limit, value, unit: 'requests', fairUse, used, resetAt }
  return { status: 429, code: `${period}-quota-used`, title: `The ${period}'s requests are used up`, detail, retryAfterSeconds: Math.max(1, Math.ceil((resetAtMs - nowMs) / 1000)), measured, ...upgrade(links) }
}

export interface StorageMeasure {
  readonly limitBytes: number
  readonly fairUse: boolean
  readonly usedBytes: number
  /** Writes under way, which may still come to less than this. */
  readonly reservedBytes: number
  readonly neededBytes: number
}

export function storageFull({ limitBytes, fairUse, usedBytes, reservedBytes, neededBytes }: StorageMeasure, links: Links): Refusal {
  const under = reservedBytes === 0 ? '' : ` and up to ${reservedBytes} bytes are being written`
  const detail = `${usedBytes} of ${limitBytes} bytes are used${under}; this request can need up to ${neededBytes}. Nothing was written. Reading and deleting work as always.`
  const measured = { limit: 'storageMb', value: limitBytes, unit: 'bytes', fairUse, used: usedBytes, reserved: reservedBytes, needed: neededBytes }
  // What is being written may come to less than was reserved for it.
  const retry = reservedBytes === 0 ? {} : { retryAfterSeconds: 1 }
  return { status: 507, code: 'storage-full', title: 'The storage is full', detail, measured, ...retry, ...upgrade(links) }
}

export function phextFull(phext: string, usedBytes: number, neededBytes: number): Refusal {
  const detail = `The phext "${phext}" holds ${usedBytes} bytes and this request can need up to ${neededBytes} more; one phext holds ${LARGEST_PHEXT_BYTES} bytes. Use another phext.`
  const measured = { limit: 'phextBytes', value: LARGEST_PHEXT_BYTES, unit: 'bytes', used: usedBytes, needed: neededBytes }
  return { status: 507, code: 'phext-full', title: 'The phext is full', detail, measured }
}

export function documentsFull(limit: Ceiling, used: number): Refusal {
  const detail = `${used} phexts are stored; ${limit.fairUse ? 'the fair-use ceiling of this plan' : 'this account\'s limit'} is ${limit.value}. Nothing was done. The phexts that are there can be read and written as always.`
  const measured = { limit: 'documents', value: limit.value, unit: 'phexts', fairUse: limit.fairUse, used }
  return { status: 507, code: 'documents-full', title: 'There is no room for another phext', detail, measured }
}

export function bodyTooLarge(maxMb: number, fairUse: boolean, links: Links): Refusal {
  const measured = { limit: 'bodyMb', value: maxMb, unit: 'MiB', fairUse }
  return { status: 413, code: 'body-too-large', title: 'The body is too large', detail: `A request may hold ${maxMb} MiB. Send it in smaller parts.`, measured, ...upgrade(links) }
}

const NUMBERS = 'each of the nine numbers lies between 1 and 999'

export function coordinateOutside(dimension: Dimension, number: string): Refusal {
  const detail = `In the coordinate (parameter c) the ${dimension} is ${number}; ${NUMBERS}. The request was not passed on.`
  return { status: 400, code: 'coordinate-out-of-range', title: 'A coordinate is out of range', detail, measured: { limit: 'coordinate', field: 'c', dimension, value: 999, used: number } }
}

export function deltaOutside({ line, dimension, number }: DeltaFault): Refusal {
  const detail = `In line ${line} of the delta the ${dimension} is ${number}; ${NUMBERS}. The request was not passed on.`
  return { status: 400, code: 'coordinate-out-of-range', title: 'A coordinate is out of range', detail, measured: { limit: 'coordinate', field: 'body', line, dimension, value: 999, used: number } }
}

export const COORDINATE_NOT_NUMERIC: Refusal = {
  status: 400,
  code: 'coordinate-not-numeric',
  title: 'The coordinate is neither nine numbers nor a name',
  detail: 'With fewer or more than nine numbers, SQ would write where something else may be. Write to nine numbers from 1 to 999, as in c=1.1.1/1.1.1/1.1.1, or to a name with at least one part that is no number, as in c=user.name.',
}

export const PHEXT_NAME_UNUSABLE: Refusal = {
  status: 400,
  code: 'phext-name-unusable',
  title: 'The phext cannot have this name',
  detail: 'The name of a phext (parameter p) holds at most 200 bytes and no NUL: under this one nothing could be stored.',
}
