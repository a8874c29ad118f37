/** What a call of the API is made of, and what the calls have in common. */
import type { Account } from '../account.ts'
import { formAt, listAt, textAt, textsAt, type Form, type FormValue } from '../form.ts'
import type { Metadata } from '../objects/list.ts'

export interface Call {
  /** What stands for `:id`. */
  readonly id: string
  readonly form: Form
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  /** The parameters that it knows. */
  readonly accepts: readonly string[]
  /** An array is cut into pages. */
  readonly handle: (call: Call) => object | readonly object[]
}

export type MakeRoutes = (account: Account) => readonly Route[]

const PAGING = ['limit', 'starting_after', 'ending_before']

export function list(path: string, filters: readonly string[], handle: (form: Form) => readonly object[]): Route {
  return { method: 'GET', path, accepts: [...PAGING, ...filters], handle: ({ form }) => handle(form) }
}

export function get(path: string, handle: (id: string) => object): Route {
  return { method: 'GET', path, accepts: [], handle: ({ id }) => handle(id) }
}

export function post(path: string, accepts: readonly string[], handle: (call: Call) => object): Route {
  return { method: 'POST', path, accepts, handle }
}

/** Whether a field is as the query wants it, where it wants anything. */
export function is(form: Form, name: string, value: string | null | undefined): boolean {
  const wanted = textAt(form[name])
  return wanted === undefined || wanted === value
}

/** `created[gte]` and the like. */
export function within(value: FormValue | undefined, time: number): boolean {
  if (typeof value === 'string') return Number(value) === time
  const range = textsAt(value)
  const bound = (name: string, otherwise: number) => Number(range[name] ?? otherwise)
  return time >= bound('gte', -Infinity) && time > bound('gt', -Infinity) && time <= bound('lte', Infinity) && time < bound('lt', Infinity)
}

export function flag(value: FormValue | undefined): boolean | undefined {
  const text = textAt(value)
  return text === undefined ? undefined : text === 'true'
}

/** As Stripe changes metadata: an empty value removes a key, what is not named stays. */
export function mergeMetadata(before: Metadata, value: FormValue | undefined): Metadata {
  if (value === '') return {}
  return Object.fromEntries(Object.entries({ ...before, ...textsAt(value) }).filter(([, text]) => text !== ''))
}

/** The fields that were sent; undefined ones are left out. */
export function given<T extends object>(changes: { readonly [K in keyof T]: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) as Partial<T>
}

export { formAt, listAt, textAt, textsAt }
