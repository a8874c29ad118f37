/**
 * YAML 1.2, core schema, read strictly: one document, no aliases, anchors, tags or directives, no duplicate keys. Positions are
 * worked out only when somebody asks for them.
 */
import { isMap, isNode, isScalar, isSeq, parseDocument } from 'yaml'
import type { Document, ParsedNode } from 'yaml'
import type { Place } from '../core/parsed.ts'
import type { FieldPath } from './field.ts'
import { findAbuse, MAX_FLOW_DEPTH } from './nesting.ts'
import type { Abuse } from './nesting.ts'
import { faultsOf } from './yaml-faults.ts'
import type { YamlFault } from './yaml-faults.ts'

/** `silent` would also silence the error for a second document. */
const OPTIONS = { version: '1.2', schema: 'core', strict: true, uniqueKeys: true, merge: false, resolveKnownTags: false, logLevel: 'error', prettyErrors: false } as const

export interface YamlText {
  /** Empty for a good file. */
  readonly faults: readonly YamlFault[]
  /** The value as far as it can be read. */
  readonly value: unknown
  /** Where a field's value stands, or its key where the value is more than a word; the nearest parent where there is no such field. */
  placeOf(path: FieldPath): Place
  /** Where a field's key stands. */
  placeOfKey(path: FieldPath): Place
  placeAt(offset: number): Place
}

/** Reads any text. Never throws. */
export function readYaml(text: string): YamlText {
  const placeAt = (offset: number): Place => placeOfOffset(text, offset)
  const abuse = findAbuse(text)
  if (abuse !== undefined) return { faults: [abuseFault(abuse)], value: undefined, placeOf: () => placeAt(0), placeOfKey: () => placeAt(0), placeAt }
  const document = parseDocument(text, OPTIONS)
  return {
    faults: faultsOf(document, text),
    value: valueOf(document),
    placeOf: (path) => placeAt(offsetsOf(document, path).value),
    placeOfKey: (path) => placeAt(offsetsOf(document, path).key),
    placeAt,
  }
}

function abuseFault({ kind, offset }: Abuse): YamlFault {
  if (kind === 'deep') return { offset, message: `brackets are nested more than ${MAX_FLOW_DEPTH} deep`, fix: 'Look for brackets that were never closed.', fatal: true }
  return { offset, message: 'a key is introduced with `?`', fix: 'Write `key: value`.', fatal: true }
}

function valueOf(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 }) as unknown
  } catch {
    return undefined
  }
}

function placeOfOffset(text: string, offset: number): Place {
  const before = text.slice(0, Math.max(0, Math.min(offset, text.length)))
  return { line: before.split('\n').length, column: before.length - before.lastIndexOf('\n') }
}

interface Offsets {
  readonly key: number
  readonly value: number
}

function offsetsOf(document: Document, path: FieldPath): Offsets {
  let node: unknown = document.contents
  const root = startOf(node) ?? 0
  let at: Offsets = { key: root, value: root }
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
      if (pair === undefined) return { key: at.key, value: at.key }
      node = pair.value
      const key = startOf(pair.key) ?? at.key
      at = { key, value: (isScalar(node) && node.source !== '' ? startOf(node) : undefined) ?? key }
    } else if (isSeq(node) && typeof step === 'number' && node.items[step] !== undefined) {
      node = node.items[step]
      const start = startOf(node) ?? at.key
      at = { key: start, value: start }
    } else return { key: at.key, value: at.key }
  }
  return at
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? (node as ParsedNode).range?.[0] : undefined
}
