/** `expand[]`: ids replaced by their objects, at any depth, and fields that are left out until they are asked for. */
import { StripeRefusal } from './refusal.ts'
import type { SandboxState, StateKind } from './state.ts'

const KINDS: readonly (readonly [prefix: string, kind: StateKind])[] = [
  ['sub_', 'subscription'],
  ['cus_', 'customer'],
  ['in_', 'invoice'],
  ['ch_', 'charge'],
  ['pm_', 'payment_method'],
  ['price_', 'price'],
]

/** By the object's own type. */
const HIDDEN: Readonly<Record<string, readonly string[]>> = { price: ['tiers'], charge: ['refunds'], 'checkout.session': ['line_items'] }

type Fields = Readonly<Record<string, unknown>>

export function withoutHidden(object: object): object {
  const hidden = HIDDEN[String((object as Fields)['object'])]
  return hidden === undefined ? object : Object.fromEntries(Object.entries(object).filter(([name]) => !hidden.includes(name)))
}

/** `whole` still has the fields that `shown` leaves out. */
export function expand(state: SandboxState, shown: object, whole: object, expansions: readonly string[]): object {
  return expansions.reduce((object, path) => expandPath(state, object, whole as Fields, path.split('.')), shown)
}

function expandPath(state: SandboxState, shown: object, whole: Fields, [name, ...rest]: readonly string[]): object {
  if (name === undefined) return shown
  const value = (shown as Fields)[name] ?? whole[name]
  if (value === undefined && HIDDEN[String((shown as Fields)['object'])]?.includes(name)) return shown
  if (value === undefined) throw new StripeRefusal(400, `This property cannot be expanded (${name}).`, { param: 'expand' })
  return { ...shown, [name]: expanded(state, name, value, rest) }
}

function expanded(state: SandboxState, name: string, value: unknown, rest: readonly string[]): unknown {
  if (value === null) return null
  if (Array.isArray(value)) return value.map((each) => expanded(state, name, each, rest))
  if (typeof value === 'object') return expandPath(state, value, value as Fields, rest)
  const kind = typeof value === 'string' ? KINDS.find(([prefix]) => value.startsWith(prefix))?.[1] : undefined
  const object = kind === undefined ? undefined : state.get(kind, value as string)
  if (object === undefined) throw new StripeRefusal(400, `This property cannot be expanded (${name}).`, { param: 'expand' })
  return expandPath(state, object, object as unknown as Fields, rest)
}
