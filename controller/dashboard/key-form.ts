/** What the form for a new key says, read into a wish. Pure. */
import { readWish, type ReadWish, type WishProblem } from '../agent-keys/wish.ts'

export interface KeyForm {
  readonly name?: string
  readonly readOnly?: string
  /** Names with commas or spaces between. */
  readonly phexts?: string
  /** A day: the key works through all of it. */
  readonly expires?: string
}

const DAY = /^\d{4}-\d{2}-\d{2}$/

export function readKeyForm({ name = '', readOnly, phexts = '', expires = '' }: KeyForm, now: Date): ReadWish {
  const names = phexts.split(/[\s,]+/).filter((each) => each !== '')
  const problems: WishProblem[] = []
  const day = expires.trim()
  const end = `${day}T23:59:59Z`
  const hasEnd = day !== ''
  if (hasEnd && !isDay(day)) problems.push({ field: 'expires', message: 'Give a day such as 2026-03-31, or leave it empty.' })
  else if (hasEnd && Date.parse(end) <= now.getTime()) problems.push({ field: 'expires', message: 'That day is over. Give one that is to come, or leave it empty.' })
  if (name.trim().length > 60) problems.push({ field: 'name', message: 'Keep it under 60 characters.' })
  if (problems.length > 0) return { kind: 'bad', problems }
  return readWish({ ...(name.trim() !== '' && { name: name.trim() }), ...(readOnly !== undefined && { readOnly: true }), ...(names.length > 0 && { phexts: names }), ...(hasEnd && { expiresAt: end }) }, now)
}

/** 31 February is none, although JavaScript reads one. */
function isDay(text: string): boolean {
  const at = DAY.test(text) ? new Date(`${text}T00:00:00Z`) : undefined
  return at !== undefined && !Number.isNaN(at.getTime()) && at.toISOString().slice(0, 10) === text
}
