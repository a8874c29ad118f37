/** What is wrong with a file as YAML, in words for a person: the reader's error codes and what the strict mode refuses beyond them. */
import { isAlias, isNode, visit } from 'yaml'
import type { Document, ErrorCode, ParsedNode, YAMLError } from 'yaml'

export interface YamlFault {
  readonly offset: number
  readonly message: string
  readonly fix: string
  /** The value cannot be trusted, so whatever else seems wrong with it would be noise. */
  readonly fatal: boolean
}

/** Enough to put a file right; a file with more faults is rubbish. */
const MOST_FAULTS = 20

/** What may hide an alias, anchor, tag or directive: a file without these characters has none. */
const SUSPECT = /[&*!]|^%/m

type Words = readonly [message: string, fix: string]

const INDENT: Words = ['the indentation does not fit', 'Indent with two spaces a level; put text that has `: ` or ` #` in quotes.']
const SYNTAX: Words = ['this is not valid YAML here', 'Look for a missing quote, bracket, colon or comma on this line or the one before.']

const WORDS: Readonly<Partial<Record<ErrorCode, Words>>> = {
  BAD_INDENT: INDENT,
  TAB_AS_INDENT: ['a tab stands where only spaces may', 'Indent with two spaces a level.'],
  BLOCK_AS_IMPLICIT_KEY: ['a value and a further `key:` stand on one line, or the indentation does not fit', 'Put text that has `: ` in quotes, or indent the next line.'],
  BLOCK_IN_FLOW: ['an indented list or map stands inside brackets', 'Write all of it in brackets, or none of it.'],
  MISSING_CHAR: ['a quote, bracket, comma or space is missing', 'Close what was opened; a list in brackets needs commas, and `:` a space after it.'],
  MULTILINE_IMPLICIT_KEY: ['a key goes over several lines', 'Write `key: value` on one line; look for a missing colon on the line before.'],
  BAD_SCALAR_START: ['text may not start with this character', 'Put the text in double quotes.'],
  BAD_DQ_ESCAPE: ['the text has a backslash sequence that YAML does not know', 'Write `\\\\` for a backslash, or use single quotes.'],
  DUPLICATE_KEY: ['the field stands here a second time', 'Keep one of the two.'],
  MULTIPLE_DOCS: ['a second document starts here', 'One file holds one document: move the rest to a file of its own.'],
  BAD_DIRECTIVE: ['directives (`%`) are not allowed', 'Remove the line.'],
  TAG_RESOLVE_FAILED: ['tags (`!`) are not allowed', 'Remove the tag; put text that starts with `!` in quotes.'],
  MULTIPLE_TAGS: ['tags (`!`) are not allowed', 'Remove the tag; put text that starts with `!` in quotes.'],
  MULTIPLE_ANCHORS: ['anchors (`&`) are not allowed', 'Remove the anchor; put text that starts with `&` in quotes.'],
  BAD_ALIAS: ['aliases (`*`) are not allowed', 'Write the value out; put text that starts with `*` in quotes.'],
  RESOURCE_EXHAUSTION: ['the file is nested too deep', 'Spec files are a few levels deep: look for stray brackets or dashes.'],
}

/** All faults in the order of the file, one for each place. Of broken syntax only the first: what follows it is its echo. */
export function faultsOf(document: Document, text: string): YamlFault[] {
  const errors = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0])
  const broken = errors.find(({ code }) => isSyntax(code))
  const faults = errors.filter((error) => error === broken || !isSyntax(error.code)).map((error) => faultOf(error, text))
  if (SUSPECT.test(text)) faults.push(...refusals(document))
  faults.sort((a, b) => a.offset - b.offset)
  return faults.filter((fault, i) => fault.offset !== faults[i - 1]?.offset).slice(0, MOST_FAULTS)
}

const NOT_SYNTAX: ReadonlySet<ErrorCode> = new Set(['DUPLICATE_KEY', 'MULTIPLE_DOCS', 'BAD_DIRECTIVE', 'TAG_RESOLVE_FAILED', 'MULTIPLE_TAGS', 'MULTIPLE_ANCHORS', 'BAD_ALIAS'])

function isSyntax(code: ErrorCode): boolean {
  return !NOT_SYNTAX.has(code)
}

function faultOf(error: YAMLError, text: string): YamlFault {
  const [message, fix] = WORDS[error.code] ?? SYNTAX
  const offset = error.pos[0]
  if (error.code === 'DUPLICATE_KEY') {
    const key = /^[A-Za-z0-9_-]{1,64}/.exec(text.slice(offset, offset + 65))?.[0]
    return { offset, message: key === undefined ? message : `\`${key}\` stands here a second time`, fix, fatal: false }
  }
  return { offset, message, fix, fatal: true }
}

function refusals(document: Document): YamlFault[] {
  const found: YamlFault[] = []
  const add = (node: unknown, code: ErrorCode, fatal: boolean): void => {
    const [message, fix] = WORDS[code]!
    found.push({ offset: (isNode(node) ? (node as ParsedNode).range?.[0] : undefined) ?? 0, message, fix, fatal })
  }
  const { yaml, tags } = document.directives ?? {}
  if (yaml?.explicit === true || Object.keys(tags ?? {}).some((tag) => tag !== '!!')) add(undefined, 'BAD_DIRECTIVE', true)
  try {
    visit(document, {
      Node(_key, node) {
        if (isAlias(node)) add(node, 'BAD_ALIAS', true)
        else if (node.anchor !== undefined) add(node, 'MULTIPLE_ANCHORS', false)
        else if (node.tag !== undefined) add(node, 'TAG_RESOLVE_FAILED', false)
      },
    })
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    add(undefined, 'RESOURCE_EXHAUSTION', true)
  }
  return found
}
