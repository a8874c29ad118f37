/**
 * From a file's text to a spec or problems: the one place where what people write becomes typed. Knows paths, YAML and the
 * schemas; knows nothing of other files (controller/core/check.ts does). Pure: no disk, no clock. Never throws on any input.
 */
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import commonSchema from '../../schemas/common.schema.json' with { type: 'json' }
import planSchema from '../../schemas/plan.schema.json' with { type: 'json' }
import platformSchema from '../../schemas/platform.schema.json' with { type: 'json' }
import productSchema from '../../schemas/product.schema.json' with { type: 'json' }
import tenantSchema from '../../schemas/tenant.schema.json' with { type: 'json' }
import { closest, list } from '../core/closest.ts'
import type { ParsedSpec, Place } from '../core/parsed.ts'
import type { Finding, Problem } from '../core/problem.ts'
import { compareProblems } from '../core/problem.ts'
import type { AnySpec, Kind } from '../core/specs.ts'
import { explain } from './explain.ts'
import type { FieldPath } from './field.ts'
import { formatField, parseField } from './field.ts'
import { baseName, isSpecPath, kindOfPath, pathRefusal, shownPath } from './paths.ts'
import { readPlainYaml } from './plain-yaml.ts'
import { describeValue } from './show.ts'
import type { YamlText } from './yaml.ts'
import { readYaml } from './yaml.ts'

export { isSpecPath }

/** A spec file over this is refused unread. */
export const MAX_SPEC_BYTES = 64 * 1024

export interface SpecParser {
  /** Reads one file. `path` must be a spec path. All problems of the file at once. */
  parse(path: string, text: string): ParsedSpec
}

/** Enough to put a file right; with more it is rubbish, and placing them all would take seconds. */
const MOST_ERRORS = 200

/** More than any list of a spec may have by its schema, which would first compare all entries with each other: seconds for one file. */
const MOST_ENTRIES = 1000

const KINDS: readonly Kind[] = ['Platform', 'Product', 'Plan', 'Tenant']

/** Compiles the schemas once; about 50 ms. */
export function createSpecParser(): SpecParser {
  const ajv = new Ajv2020({ allErrors: true, strict: true, verbose: true, discriminator: true, schemas: [commonSchema] })
  addFormats.default(ajv, ['date-time'])
  const validators: Readonly<Record<Kind, ValidateFunction>> = {
    Platform: ajv.compile(platformSchema),
    Product: ajv.compile(productSchema),
    Plan: ajv.compile(planSchema),
    Tenant: ajv.compile(tenantSchema),
  }
  return { parse: (path, text) => parseSpec(validators, path, text) }
}

function parseSpec(validators: Readonly<Record<Kind, ValidateFunction>>, path: string, text: string): ParsedSpec {
  const kind = kindOfPath(path)
  if (kind === undefined) throw new TypeError(`not a spec path: ${JSON.stringify(path)}`)
  const wrongPath = pathRefusal(path, kind)
  const unread = textRefusal(text)
  if (unread !== undefined) return refusedFile(path, kind, wrongPath === undefined ? [unread] : [wrongPath, unread])
  const validate = validators[kind]
  const plain = wrongPath === undefined ? readPlainYaml(text) : undefined
  if (plain !== undefined && crowdedAt(plain) === undefined && validate(plain)) return goodSpec(kind, plain as AnySpec)
  const yaml = readYaml(text)
  const file = shownPath(path)
  if (wrongPath === undefined && yaml.faults.length === 0 && crowdedAt(yaml.value) === undefined && validate(yaml.value)) return goodSpec(kind, yaml.value as AnySpec)
  const problems = [...(wrongPath === undefined ? [] : [atTop(file, wrongPath)]), ...yamlProblems(file, yaml), ...schemaProblems(file, kind, yaml, validate)]
  return { kind: 'bad', claims: { kind, name: nameIn(yaml.value, text) ?? nameOfFile(path) }, problems: problems.sort(compareProblems) }
}

/** Without the version, which the reader knows now. */
function goodSpec(kind: Kind, { metadata, spec }: AnySpec): ParsedSpec {
  return { kind: 'ok', spec: { kind, metadata, spec } as AnySpec }
}

/** The first list or map that has more entries than any spec. */
function crowdedAt(value: unknown, path: FieldPath = []): FieldPath | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const entries = Object.entries(value)
  if (entries.length > MOST_ENTRIES) return path
  for (const [key, part] of entries) {
    const found = crowdedAt(part, [...path, Array.isArray(value) ? Number(key) : key])
    if (found !== undefined) return found
  }
  return undefined
}

type Words = Pick<Problem, 'message' | 'fix'>

function atTop(file: string, words: Words): Problem {
  return { file, line: 1, column: 1, field: '', ...words }
}

function refusedFile(path: string, kind: Kind, refusals: readonly Words[]): ParsedSpec {
  return { kind: 'bad', claims: { kind, name: nameOfFile(path) }, problems: refusals.map((words) => atTop(shownPath(path), words)) }
}

/** What a file is taken to be about by its name alone: it is shown to people and kept, so nothing in it may command a terminal. */
function nameOfFile(path: string): string {
  return shownPath(baseName(path))
}

/** What makes a text no candidate for reading at all. */
function textRefusal(text: string): Words | undefined {
  if (text.length > MAX_SPEC_BYTES / 3 && Buffer.byteLength(text) > MAX_SPEC_BYTES) return REFUSALS.oversized
  if (text.includes('\ufffd')) return { message: 'the file is not UTF-8 text', fix: 'Save it as UTF-8.' }
  const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/.exec(text)
  if (control === null) return undefined
  const code = control[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')
  return { message: `line ${text.slice(0, control.index).split('\n').length} has the invisible control character U+${code}`, fix: 'Delete it.' }
}

const REFUSALS = {
  symlink: { message: 'this is a symbolic link', fix: 'Put the file itself here: links are not followed.' },
  submodule: { message: 'this is a submodule', fix: 'Put the file itself here: submodules are not followed.' },
  oversized: { message: `the file is larger than ${MAX_SPEC_BYTES / 1024} KiB`, fix: 'A spec is a few hundred bytes: look for what does not belong here.' },
} as const

/** A tree entry that is refused unread. `path` must be a spec path. */
export function refusedEntry(path: string, reason: keyof typeof REFUSALS): ParsedSpec {
  return refusedFile(path, kindOfPath(path) ?? 'Tenant', [REFUSALS[reason]])
}

function yamlProblems(file: string, yaml: YamlText): Problem[] {
  return yaml.faults.map(({ offset, message, fix }) => ({ file, ...yaml.placeAt(offset), field: '', message, fix }))
}

/** What the schema refuses. A file that says it is of another kind is told so, and not measured by the wrong schema. */
function schemaProblems(file: string, kind: Kind, yaml: YamlText, validate: ValidateFunction): Problem[] {
  const { value, faults } = yaml
  if (faults.some((fault) => fault.fatal)) return []
  if (value === null || value === undefined || typeof value !== 'object' || Array.isArray(value)) {
    const message = value === null || value === undefined ? 'the file is empty' : `expected a map of fields, found ${describeValue(value)}`
    return [atTop(file, { message, fix: `Write a ${kind}; the sample repository shows one.` })]
  }
  const problem = (path: readonly (string | number)[], words: Words, key = false): Problem => {
    const place = key ? yaml.placeOfKey(path) : yaml.placeOf(path)
    return { file, ...place, field: formatField(path), message: words.message, fix: words.fix }
  }
  const claimed = (value as { kind?: unknown }).kind
  if (claimed !== undefined && claimed !== kind) return [problem(['kind'], wrongKind(kind, claimed))]
  const crowded = crowdedAt(value)
  if (crowded !== undefined) return [problem(crowded, { message: `there are more than ${MOST_ENTRIES} entries`, fix: 'A spec has a few: look for what does not belong here.' })]
  if (validate(value)) return []
  return explain((validate.errors ?? []).slice(0, MOST_ERRORS), value).map((complaint) => problem(complaint.path, complaint, complaint.aboutKey))
}

function wrongKind(kind: Kind, claimed: unknown): Words {
  const message = `expected \`${kind}\`, found ${describeValue(claimed)}`
  if (typeof claimed === 'string' && (KINDS as readonly string[]).includes(claimed)) return { message, fix: `Move the file to where a ${claimed} belongs, or correct the kind.` }
  return { message, fix: typeof claimed === 'string' && closest(claimed, [kind]) === kind ? `Did you mean \`${kind}\`?` : `The folder decides the kind; kinds are ${list(KINDS)}.` }
}

const NAME = /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** `metadata.name` of a bad file, as far as it can be made out. */
function nameIn(value: unknown, text: string): string | undefined {
  const name = (value as { metadata?: { name?: unknown } | null } | null | undefined)?.metadata?.name
  if (typeof name === 'string' && NAME.test(name)) return name
  if (name !== undefined) return undefined
  const seen = /^metadata:[ \t]*\r?\n[ ]+name:[ \t]+["']?([a-z0-9-]{1,63})["']?[ \t]*(?:#.*)?\r?$/m.exec(text)?.[1]
  return seen !== undefined && NAME.test(seen) ? seen : undefined
}

/** Where a field of a text stands: its value, or its key where that is more than a word; the nearest parent where there is none. */
export function placeOf(text: string, field: string): Place {
  return readYaml(text).placeOf(parseField(field))
}

/** A finding of the pure core with its place in the text of its file. */
export function locate(finding: Finding, text: string): Problem {
  return { ...finding, ...placeOf(text, finding.field) }
}
