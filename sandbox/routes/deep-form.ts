/** A form's values as JSON has them: `true`, `false` and whole numbers in place of their texts, an empty text as null. */
import type { FormValue } from '../form.ts'

export function deepForm(value: FormValue | undefined): unknown {
  if (value === undefined) return {}
  if (typeof value === 'string') return value === 'true' ? true : value === 'false' ? false : value === '' ? null : /^\d{1,15}$/.test(value) ? Number(value) : value
  if (Array.isArray(value)) return value.map(deepForm)
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, deepForm(each as FormValue)]))
}
