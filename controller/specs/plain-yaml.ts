/**
 * Reads the plain subset of YAML that Tenantry itself writes, some ten times as fast as the full reader: block maps and lists
 * indented by two, one `key: value` a line, whole-line comments. Anything else gives undefined, and the caller takes the full
 * reader; a property test holds that whatever is read here reads the same there.
 */

/** A key that says null is no name: YAML reads it as nothing. */
const KEY_LINE = /^((?!(?:null|Null|NULL):)[A-Za-z][A-Za-z0-9]*):(?: (.+))?$/
/** Plain text that YAML's core schema takes for nothing else: a letter first, then nothing that has a meaning, single spaces between words. */
const TEXT = /^[A-Za-z][A-Za-z0-9_@.+/=-]*(?: [A-Za-z0-9_@.+/=-]+)*$/
const RESERVED = /^(?:null|true|false)$/i
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/
const WHOLE_NUMBER = /^(?:0|[1-9]\d{0,14})$/
const NUMBER_LIKE = /^(?:\d*|\d+[eE]\d+)$/
/** A nonce or a digest; one that is all digits, or digits around one `e`, would be a number. */
const HEX = /^(?:[0-9a-f]{32}|[0-9a-f]{64})$/
const QUOTED = /^"[ !#-[\]-~]*"$/
const COMMENT_OR_EMPTY = /^ *(?:#.*)?$/

interface Line {
  readonly indent: number
  readonly text: string
}

type Value = string | number | boolean | Record<string, unknown> | unknown[]

const WRONG = Symbol('not plain')

/** The value of a file in the plain subset, or undefined where the file is not in it. */
export function readPlainYaml(text: string): unknown {
  const lines: Line[] = []
  for (const raw of text.split('\n')) {
    if (COMMENT_OR_EMPTY.test(raw)) continue
    const indent = raw.search(/[^ ]/)
    lines.push({ indent, text: raw.slice(indent) })
  }
  if (lines.length === 0) return undefined
  const reader = { lines, at: 0 }
  const value = readMap(reader, 0)
  return value === WRONG || reader.at < lines.length ? undefined : value
}

interface Reader {
  readonly lines: Line[]
  at: number
}

function readMap(reader: Reader, indent: number): Record<string, unknown> | typeof WRONG {
  const map: Record<string, unknown> = {}
  for (let line = reader.lines[reader.at]; line?.indent === indent; line = reader.lines[reader.at]) {
    const found = KEY_LINE.exec(line.text)
    if (found === null || Object.hasOwn(map, found[1]!)) return WRONG
    reader.at += 1
    const value = found[2] === undefined ? readNested(reader, indent + 2) : readScalar(found[2])
    if (value === WRONG) return WRONG
    map[found[1]!] = value
  }
  return map
}

function readNested(reader: Reader, indent: number): Value | typeof WRONG {
  const line = reader.lines[reader.at]
  if (line?.indent !== indent) return WRONG
  return line.text.startsWith('- ') ? readList(reader, indent) : readMap(reader, indent)
}

function readList(reader: Reader, indent: number): unknown[] | typeof WRONG {
  const list: unknown[] = []
  for (let line = reader.lines[reader.at]; line?.indent === indent; line = reader.lines[reader.at]) {
    if (!line.text.startsWith('- ')) return WRONG
    const item = line.text.slice(2)
    let value: unknown
    if (KEY_LINE.test(item)) {
      reader.lines[reader.at] = { indent: indent + 2, text: item }
      value = readMap(reader, indent + 2)
    } else {
      reader.at += 1
      value = readScalar(item)
    }
    if (value === WRONG) return WRONG
    list.push(value)
  }
  return list
}

function readScalar(text: string): Value | typeof WRONG {
  if (text === 'true') return true
  if (TEXT.test(text)) return RESERVED.test(text) ? WRONG : text
  if (WHOLE_NUMBER.test(text)) return Number(text)
  if (TIME.test(text) || (HEX.test(text) && !NUMBER_LIKE.test(text))) return text
  if (QUOTED.test(text)) return text.slice(1, -1)
  return text === '[]' ? [] : WRONG
}
