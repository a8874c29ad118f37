/**
 * What the schemas refuse, in words for a person: which field, what was expected, what to do. One complaint for each field, none
 * that only follows from another. The words for a pattern are its schema's `title`, so that a new rule brings its own.
 */
import type { ErrorObject } from 'ajv'
import { closest, list } from '../core/closest.ts'
import type { FieldPath } from './field.ts'
import { quote } from './field.ts'
import { describeValue, looksSecret } from './show.ts'

export interface Complaint {
  readonly path: FieldPath
  /** The complaint is about the field's name, not about its value. */
  readonly aboutKey: boolean
  readonly message: string
  readonly fix: string
}

interface SchemaPart {
  readonly title?: string
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly minimum?: number
  readonly maximum?: number
  readonly anyOf?: readonly SchemaPart[]
  readonly properties?: Readonly<Record<string, { readonly description?: string; readonly examples?: readonly unknown[] }>>
}

/** Turns the validator's errors for one value into complaints. */
export function explain(errors: readonly ErrorObject[], value: unknown): Complaint[] {
  const choices = new Set(errors.filter(({ keyword }) => keyword === 'anyOf').map(({ instancePath }) => instancePath))
  const said = new Set<string>()
  const complaints: Complaint[] = []
  for (const error of errors) {
    if (choices.has(error.instancePath) && error.keyword !== 'anyOf') continue
    const complaint = explainOne(error, stepsOf(error.instancePath, value))
    if (complaint === undefined) continue
    const id = JSON.stringify([complaint.path, complaint.aboutKey])
    if (!said.has(id)) complaints.push(complaint)
    said.add(id)
  }
  return complaints
}

/** A JSON pointer as steps: numbers where the value is a list. */
function stepsOf(pointer: string, root: unknown): FieldPath {
  let value = root
  return pointer
    .split('/')
    .slice(1)
    .map((raw) => {
      const step = raw.replaceAll('~1', '/').replaceAll('~0', '~')
      const key = Array.isArray(value) ? Number(step) : step
      value = (value as Record<string | number, unknown> | undefined)?.[key]
      return key
    })
}

function explainOne(error: ErrorObject, path: FieldPath): Complaint | undefined {
  const schema = (error.parentSchema ?? {}) as SchemaPart
  const params = error.params as Record<string, unknown>
  const about = (message: string, fix: string): Complaint => ({ path, aboutKey: false, message, fix })
  switch (error.keyword) {
    case 'additionalProperties':
      return unknownField(path, String(params['additionalProperty']), Object.keys(schema.properties ?? {}))
    case 'required':
      return missingField(path, String(params['missingProperty']), schema)
    case 'propertyNames':
      return undefined // the rule for the name itself is reported beside it
    case 'discriminator':
    case 'oneOf':
      return wrongKind(error, path)
    case 'uniqueItems':
      return about('the same entry stands in the list twice', 'Keep one of the two.')
    case 'minItems':
      return about(`the list needs at least ${String(params['limit'])} ${params['limit'] === 1 ? 'entry' : 'entries'}`, 'Add one.')
    case 'maxItems':
    case 'maxProperties':
      return about(`there are more than ${String(params['limit'])} entries`, `Keep at most ${String(params['limit'])}.`)
    case 'maxLength':
      return about(`the text is longer than ${String(params['limit'])} characters`, `Shorten it to ${String(params['limit'])} characters.`)
    default:
      return error.propertyName === undefined ? wrongValue(error, path, schema) : wrongName(error.propertyName, path, schema)
  }
}

function unknownField(path: FieldPath, name: string, known: readonly string[]): Complaint {
  const near = closest(name, known)
  const fix = near !== undefined ? `Did you mean \`${near}\`?` : known.length === 0 ? 'Remove it.' : `Remove it; the fields here are ${list(known)}.`
  return { path: [...path, name], aboutKey: true, message: 'there is no such field', fix }
}

function missingField(path: FieldPath, name: string, schema: SchemaPart): Complaint {
  const example = schema.properties?.[name]?.examples?.[0]
  const fix = example === undefined || typeof example === 'object' ? `Add \`${name}\`.` : `Add it, as in \`${name}: ${String(example)}\`.`
  return { path: [...path, name], aboutKey: true, message: 'this field is missing', fix }
}

function wrongName(name: string, path: FieldPath, schema: SchemaPart): Complaint {
  return { path: [...path, name], aboutKey: true, message: `the name is not ${schema.title ?? 'allowed here'}`, fix: 'Rename it.' }
}

function wrongKind(error: ErrorObject, path: FieldPath): Complaint {
  const kinds = ((error.parentSchema?.['oneOf'] ?? []) as { properties?: { kind?: { const?: string } } }[]).map((one) => one.properties?.kind?.const ?? '').filter((one) => one !== '')
  const found = (error.params as { tagValue?: unknown }).tagValue
  return expected([...path, 'kind'], kinds.map((kind) => `\`${kind}\``).join(' or '), found, kinds)
}

function wrongValue(error: ErrorObject, path: FieldPath, schema: SchemaPart): Complaint {
  const words = (schema.enum ?? (schema.const === undefined ? (schema.anyOf ?? []).map((part) => part.const) : [schema.const])).filter((word) => typeof word === 'string')
  return expected(path, describeSchema(schema), error.data, words)
}

function expected(path: FieldPath, wanted: string, found: unknown, words: readonly string[]): Complaint {
  const near = typeof found === 'string' ? closest(found, words) : undefined
  return { path, aboutKey: false, message: `expected ${wanted}, found ${describeValue(found)}`, fix: near === undefined ? remedy(wanted, found) : `Did you mean \`${near}\`?` }
}

function remedy(wanted: string, found: unknown): string {
  if (typeof found === 'string' && looksSecret(found)) return 'If this is a secret, revoke it: nothing secret belongs in git.'
  if (typeof found === 'string' && /^\d+(?:\.\d+)?$/.test(found) && wanted.startsWith('a whole number')) return `Write ${found} without quotes.`
  if ((Number.isFinite(found) || typeof found === 'boolean') && !/number/.test(wanted)) return `If ${String(found)} is meant as text, put it in quotes.`
  return 'Change the value.'
}

const TYPES: Readonly<Record<string, string>> = { object: 'a map of fields', array: 'a list', string: 'text', boolean: 'true or false' }

function describeSchema(schema: SchemaPart): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map(describeSchema).join(' or ')
  if (schema.const !== undefined) return `\`${String(schema.const)}\``
  if (schema.enum !== undefined) return schema.enum.map((one) => `\`${String(one)}\``).join(', ')
  if (schema.title !== undefined) return schema.title
  if (schema.type === 'integer' || schema.type === 'number') {
    const noun = schema.type === 'integer' ? 'a whole number' : 'a number'
    return schema.minimum === undefined || schema.maximum === undefined ? noun : `${noun} from ${schema.minimum} to ${schema.maximum}`
  }
  return TYPES[schema.type ?? ''] ?? `something else than ${quote(schema.type ?? 'this')}`
}
