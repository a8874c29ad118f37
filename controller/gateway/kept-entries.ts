/**
 * A bounded place in memory for entries of many tenants, by text. No tenant takes more than its share, whatever it asks for. Which go
 * first: the oldest that nobody asked for since they were last passed over.
 */

export interface KeptEntries<Value> {
  find(owner: object, tenant: string, name: string): Value | undefined
  /** In place of one of the same name. `owner`: what the entry stands and falls with; entries of another owner of the tenant go. */
  put(owner: object, tenant: string, name: string, value: Value, bytes: number): void
  remove(tenant: string, name: string): void
  readonly bytes: number
  readonly evictions: number
}

/** Of all bytes, what one tenant may take, and what one entry may. */
const TENANT_SHARE = 1 / 4
const ENTRY_SHARE = 1 / 16

interface Entry<Value> {
  readonly value: Value
  readonly bytes: number
  readonly name: string
  readonly shelf: Shelf<Value>
  /** Asked for since it was last passed over. */
  used: boolean
}

interface Shelf<Value> {
  readonly owner: object
  readonly tenant: string
  readonly entries: Map<string, Entry<Value>>
  bytes: number
}

export function createKeptEntries<Value>(bound: number): KeptEntries<Value> {
  const shelves = new Map<string, Shelf<Value>>()
  const order = new Set<Entry<Value>>()
  let held = 0
  let evictions = 0

  function drop(entry: Entry<Value>): void {
    const { shelf, name, bytes } = entry
    shelf.entries.delete(name)
    order.delete(entry)
    shelf.bytes -= bytes
    held -= bytes
    if (shelf.entries.size === 0) shelves.delete(shelf.tenant)
  }

  function shelfOf(owner: object, tenant: string): Shelf<Value> {
    const known = shelves.get(tenant)
    if (known?.owner === owner) return known
    if (known !== undefined) for (const entry of known.entries.values()) drop(entry)
    return { owner, tenant, entries: new Map(), bytes: 0 }
  }

  /** The oldest of them goes; those that were used are passed over once, to the end of the line. */
  function evictFrom(entries: Iterable<Entry<Value>>): void {
    for (const entry of entries) {
      if (!entry.used) {
        evictions++
        return drop(entry)
      }
      entry.used = false
      const { shelf, name } = entry
      shelf.entries.delete(name)
      shelf.entries.set(name, entry)
      order.delete(entry)
      order.add(entry)
    }
  }

  return {
    find(owner, tenant, name) {
      const shelf = shelves.get(tenant)
      if (shelf?.owner !== owner) return undefined
      const entry = shelf.entries.get(name)
      if (entry === undefined) return undefined
      entry.used = true
      return entry.value
    },
    put(owner, tenant, name, value, bytes) {
      if (bytes > bound * ENTRY_SHARE) return
      const old = shelves.get(tenant)?.entries.get(name)
      if (old !== undefined) drop(old)
      const shelf = shelfOf(owner, tenant)
      shelves.set(tenant, shelf)
      const entry: Entry<Value> = { value, bytes, name, shelf, used: false }
      shelf.entries.set(name, entry)
      order.add(entry)
      shelf.bytes += bytes
      held += bytes
      while (shelf.bytes > bound * TENANT_SHARE) evictFrom(shelf.entries.values())
      while (held > bound) evictFrom(order)
    },
    remove(tenant, name) {
      const entry = shelves.get(tenant)?.entries.get(name)
      if (entry !== undefined) drop(entry)
    },
    get bytes() {
      return held
    },
    get evictions() {
      return evictions
    },
  }
}
