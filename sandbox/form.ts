/** Stripe's request bodies and queries: form fields with brackets, `line_items[0][price]=…`, as nested values. All leaves are text. */

export interface Form {
  readonly [name: string]: FormValue
}
export type FormValue = string | readonly FormValue[] | Form

interface Node {
  text?: string
  readonly children: Map<string, Node>
}

const KEY = /^([^[\]]+)((?:\[[^[\]]*\])*)$/

/** Fields that are not of this form are taken as they are written. */
export function parseForm(text: string): Form {
  const root: Node = { children: new Map() }
  for (const [key, value] of new URLSearchParams(text)) {
    const match = KEY.exec(key)
    const steps = match === null ? [key] : [match[1]!, ...[...match[2]!.matchAll(/\[([^[\]]*)\]/g)].map(([, step]) => step!)]
    let node = root
    for (const step of steps) node = childOf(node, step === '' ? String(node.children.size) : step)
    node.text = value
  }
  return valueOf(root, true) as Form
}

function childOf(node: Node, step: string): Node {
  let child = node.children.get(step)
  if (child === undefined) {
    child = { children: new Map() }
    node.children.set(step, child)
  }
  return child
}

/** Numbered children are a list. The result's objects have no prototype, so that no field name means anything by itself. */
function valueOf(node: Node, isRoot = false): FormValue {
  if (node.children.size === 0 && !isRoot) return node.text ?? ''
  const entries = [...node.children]
  if (!isRoot && entries.every(([name]) => /^\d+$/.test(name))) return entries.map(([, child]) => valueOf(child))
  return Object.assign(Object.create(null) as Record<string, FormValue>, Object.fromEntries(entries.map(([name, child]) => [name, valueOf(child)])))
}

export function textAt(value: FormValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

export function listAt(value: FormValue | undefined): readonly FormValue[] {
  return Array.isArray(value) ? (value as readonly FormValue[]) : []
}

export function formAt(value: FormValue | undefined): Form {
  return typeof value === 'object' && !Array.isArray(value) ? (value as Form) : {}
}

/** The text leaves of a map, such as `metadata`. */
export function textsAt(value: FormValue | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(formAt(value)).filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}
