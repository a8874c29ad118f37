/**
 * The guard before the YAML reader: nested brackets and `?` keys cost it minutes for 64 KiB (quadratic and worse), so files
 * that have more of them than any spec needs are refused from their tokens, which come in linear time.
 */
import { CST, Lexer } from 'yaml'

export const MAX_FLOW_DEPTH = 16

export interface Abuse {
  readonly kind: 'deep' | 'explicit-key'
  readonly offset: number
}

const CLOSES: Readonly<Record<string, string>> = { ']': '[', '}': '{' }
const SCALAR_FOLLOWS = '\u001f'
/** Marks of the token stream that stand for no text. */
const MARKS = new Set(['\u0002', '\u0018', SCALAR_FOLLOWS])

export function findAbuse(text: string): Abuse | undefined {
  if (!mayAbuse(text)) return undefined
  const open: string[] = []
  let offset = 0
  let scalar = false
  for (const token of new Lexer().lex(text)) {
    if (!scalar && (token === '[' || token === '{')) {
      open.push(token)
      if (open.length > MAX_FLOW_DEPTH) return { kind: 'deep', offset }
    } else if (!scalar && CLOSES[token] !== undefined) {
      if (open.at(-1) === CLOSES[token]) open.pop()
    } else if (!scalar && CST.tokenType(token) === 'explicit-key-ind') return { kind: 'explicit-key', offset }
    scalar = token === SCALAR_FOLLOWS
    if (!MARKS.has(token)) offset += token.length
  }
  return undefined
}

/** Most files are let through by counting alone. */
function mayAbuse(text: string): boolean {
  if (/(?:^|[\s[\]{},:?-])\?(?:[\s,\]}]|$)/.test(text)) return true
  let brackets = 0
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === 0x5b || c === 0x7b) brackets += 1
  }
  return brackets > MAX_FLOW_DEPTH
}
