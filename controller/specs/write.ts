/**
 * Writing spec files: a new tenant's in canonical form, and changes to files that people wrote, which keep what they wrote
 * around them. Nothing here decides what to write.
 */
import { isCollection, isMap, isScalar, isSeq, parseDocument, stringify } from 'yaml'
import type { Document, Node, ParsedNode } from 'yaml'
import type { BillingSpec, KeyAccess, KeySpec, SshProfile, Tenant } from '../core/specs.ts'
import { API_VERSION } from '../core/specs.ts'

/** Found by editors beside the file, without a network: tenant files lie three folders deep, tenants/PRODUCT/BUCKET/ID.yaml. */
const SCHEMA_LINE = '# yaml-language-server: $schema=../../../schemas/tenant.schema.json'

const OPTIONS = { version: '1.2', schema: 'core', lineWidth: 0 } as const

/** The canonical text of a tenant's file. Equal tenants give equal bytes, and reading it gives the tenant back. */
export function stringifyTenant(tenant: Tenant): string {
  const { product, plan, owner, state, stateReason, stateBy, endedAt, limits, keys, billing, trial, hold, profiles } = tenant.spec
  const spec = {
    product,
    plan,
    owner: present({ email: owner.email, username: owner.username, listedAs: owner.listedAs }),
    state,
    stateReason,
    stateBy,
    endedAt,
    limits,
    keys: keys.map(orderKey),
    billing: billing && orderBilling(billing),
    trial: trial && present({ endsAt: trial.endsAt, claimedAt: trial.claimedAt }),
    hold: hold && { until: hold.until, reason: hold.reason, by: hold.by },
    profiles: profiles?.map(orderProfile),
  }
  const file = { apiVersion: API_VERSION, kind: tenant.kind, metadata: { name: tenant.metadata.name }, spec: present(spec) }
  return `${SCHEMA_LINE}\n${stringify(file, { ...OPTIONS, aliasDuplicateObjects: false })}`
}

/** A key as it stands in a file: its fields in their order. */
export function orderKey({ id, nonce, master, digest, name, parent, access, createdAt, expiresAt, revokedAt }: KeySpec): object {
  return present({ id, nonce, master, digest, name, parent, access: access && orderAccess(access), createdAt, expiresAt, revokedAt })
}

/** As it stands in a file: its fields in their order. */
export function orderBilling({ customer, subscription, checkout, paidPlan, interval, quantity, price, status, graceUntil, trialEndsAt, cancelAt }: BillingSpec): object {
  return present({ customer, subscription, checkout, paidPlan, interval, quantity, price: price && { amount: price.amount, currency: price.currency }, status, graceUntil, trialEndsAt, cancelAt })
}

function orderAccess({ readOnly, phexts, requestsPerSecond, requests }: KeyAccess): object {
  return present({ readOnly, phexts, requestsPerSecond, requests })
}

function orderProfile({ username, devices }: SshProfile): unknown {
  return { username, devices: devices.map(({ name, publicKey, addedAt }) => present({ name, publicKey, addedAt })) }
}

function present(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

export interface SpecEdit {
  /** Such as `['spec', 'limits', 'storageMb']`; a number is a place in a list, one past its end appends. */
  readonly path: readonly (string | number)[]
  /** undefined removes the field. */
  readonly value: unknown
}

/**
 * The text with fields set or removed, comments and the formatting of the rest kept. A word that takes another's place changes
 * its own characters and nothing else. Throws where the text is not YAML: only good files are edited.
 */
export function editSpec(text: string, edits: readonly SpecEdit[]): string {
  return areApart(edits) ? editTogether(text, edits) : edits.reduce((before, edit) => editTogether(before, [edit]), text)
}

/** Whether none of them can move or hold what another is about: then their order does not matter, and the file is read once for all. */
function areApart(edits: readonly SpecEdit[]): boolean {
  const isWithin = (a: SpecEdit['path'], b: SpecEdit['path']): boolean => b.every((step, depth) => a[depth] === step)
  return edits.every(({ path }, index) => path.every((step) => typeof step === 'string') && edits.every((other, at) => at === index || !isWithin(path, other.path)))
}

function editTogether(text: string, edits: readonly SpecEdit[]): string {
  const document = read(text)
  const words: Splice[] = []
  const rest = edits.filter((edit) => {
    const splice = spliceOf(document, text, edit)
    if (splice !== undefined) words.push(splice)
    return splice === undefined && (edit.value !== undefined || document.getIn(edit.path, true) !== undefined)
  })
  const spliced = words.sort((a, b) => b.from - a.from).reduce((before, { from, to, word: written }) => before.slice(0, from) + written + before.slice(to), text)
  if (rest.length === 0) return spliced
  const changed = words.length === 0 ? document : read(spliced)
  for (const { path, value } of rest) {
    if (value === undefined) changed.deleteIn(path)
    else {
      makeRoom(changed, path)
      changed.setIn(path, changed.createNode(value, { aliasDuplicateObjects: false }))
    }
  }
  return render(changed, spliced)
}

function read(text: string): Document {
  const document = parseDocument(text, { ...OPTIONS, logLevel: 'error' })
  const fault = document.errors[0]
  if (fault !== undefined) throw new Error(`The file to change is not valid YAML: ${fault.message}`)
  return document
}

interface Splice {
  readonly from: number
  readonly to: number
  readonly word: string
}

/** Where a word takes the place of another on one line. */
function spliceOf(document: Document, text: string, { path, value }: SpecEdit): Splice | undefined {
  const node = document.getIn(path, true)
  const range = isScalar(node) && node.source !== undefined && node.source !== '' ? (node as unknown as ParsedNode).range : undefined
  if (!range || !isWord(value) || text.slice(range[0], range[1]).includes('\n')) return undefined
  return { from: range[0], to: range[1], word: word(value, text, range[0]) }
}

function isWord(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

/** A word as YAML, written so that it can also stand between brackets. */
function word(value: string | number | boolean, text: string, at: number): string {
  const written = stringify(value, OPTIONS).trimEnd()
  if (typeof value !== 'string') return written
  const fits = /^[\w@.+/=-][\w@.+/= -]*$/.test(value) || !/[,[\]{}]/.test(text.slice(text.lastIndexOf('\n', at) + 1, at))
  return written.includes('\n') || (!fits && !/^["']/.test(written)) ? JSON.stringify(value) : written
}

/** Fields that stand there without a value (`limits:`) become maps or lists when something is put into them; an empty `[]` opens up. */
function makeRoom(document: Document, path: readonly (string | number)[]): void {
  for (let depth = 1; depth < path.length; depth++) {
    const above = path.slice(0, depth)
    const node = document.getIn(above, true) as Node | undefined
    const list = typeof path[depth] === 'number'
    if (node === undefined || (isScalar(node) && node.value === null)) document.setIn(above, document.createNode(list ? [] : {}))
    else if (isCollection(node) && node.items.length === 0) node.flow = false
    else if (!isMap(node) && !isSeq(node)) throw new Error(`${above.join('.')} is a single value and has no fields to set.`)
  }
}

/** Keeps the file's own way of indenting lists, of padding brackets and of spacing within the lines that did not change. */
function render(document: Document, before: string): string {
  const rendered = document.toString({
    lineWidth: 0,
    indentSeq: !/^( *)[A-Za-z]\w*:[ \t]*(?:#.*)?\n\1- /m.test(before),
    flowCollectionPadding: !/[[{](?=[^\s\]}])/.test(before.replace(/(^|\s)#.*$/gm, '')),
  })
  const restored = restoreSpacing(rendered, before)
  return restored === rendered || valueOf(restored) === valueOf(rendered) ? restored : rendered
}

/** The writer puts one space where a person lined things up: lines that differ in nothing else are taken from `before`. */
function restoreSpacing(rendered: string, before: string): string {
  const old = before.split('\n')
  let from = 0
  const lines = rendered.split('\n').map((line) => {
    const at = old.findIndex((candidate, i) => i >= from && single(candidate) === single(line))
    if (at === -1) return line
    from = at + 1
    return old[at]!
  })
  return lines.join('\n')
}

function single(line: string): string {
  return line.trimEnd().replace(/(?<=\S) {2,}/g, ' ')
}

function valueOf(text: string): string {
  return JSON.stringify(parseDocument(text, { ...OPTIONS, logLevel: 'error' }).toJS())
}
