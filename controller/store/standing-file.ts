/**
 * A file of standing tenants: their specs as one row of JSON each, and beside them what is asked without reading a spec, in columns,
 * and a hash table from ids, paths and unique values to rows. Written once, in one pass, and never changed; read whole, as bytes, of
 * which only the rows that are asked for become values. Whether what it says still holds is for others to judge.
 */
import { createHash, hash } from 'node:crypto'
import { open, readFile, rm, type FileHandle } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import type { Good } from '../core/catalog-entry.ts'
import type { ShardName } from '../core/placement.ts'
import type { BlobId, Tenant, TenantId, TenantState } from '../core/specs.ts'
import type { StandingTenants, TenantSummary } from '../core/standing.ts'
import { ownerKey, uniqueKeys, type UniqueField } from '../core/tenant-index.ts'

export interface StandingRow {
  readonly good: Good<Tenant>
  readonly shard: ShardName | undefined
  /** Of the line that stands for it in the routes' files: sixteen digits of base64. */
  readonly routeDigest: string
}

/** `head`: whatever else is to be kept, as JSON. */
export interface StandingFile<Head> {
  readonly head: Head
  readonly tenants: StandingTenants
  routeDigest(id: TenantId): string | undefined
}

interface Columns {
  readonly names: readonly string[]
  readonly rows: number
  /** Where each section begins, and where the last one ends. */
  readonly sections: readonly number[]
}

interface Footer {
  readonly columns: Columns
  readonly head: unknown
}

const ROUTE_DIGEST_BYTES = 12
const FOOTER_LENGTH_BYTES = 4
const STATES: readonly TenantState[] = ['active', 'suspended', 'ended']
const GONE = STATES.length
const NO_NAME = 0xffff
const WRITE_BYTES = 256 * 1024
const ROWS_AT_ONCE = 500
const ALIGNMENT = 8

/** At the end of all rows: which of them do not stand after all, and what goes beside them. */
export type FinishStanding<Head> = () => Promise<{ readonly gone: ReadonlySet<TenantId>; readonly head: Head }>

/** Lets other work go on in between. What was begun is removed where it fails. */
export async function writeStandingFile<Head>(file: string, rows: Iterable<StandingRow>, finish: FinishStanding<Head>): Promise<{ readonly digest: string; readonly head: Head; readonly rows: number }> {
  const handle = await open(file, 'w', 0o600)
  try {
    const out = createOutput(handle)
    const table = createTableWriter()
    for (const row of rows) {
      out.add(table.take(row, out.position))
      if (table.rows % ROWS_AT_ONCE === 0) {
        await out.flush()
        await setImmediate()
      }
    }
    const { gone, head } = await finish()
    const { sections, names } = table.finish(out.position, gone)
    const starts: number[] = []
    for (const section of sections) {
      out.add(Buffer.alloc((ALIGNMENT - (out.position % ALIGNMENT)) % ALIGNMENT))
      starts.push(out.position)
      out.add(section)
    }
    const columns: Columns = { names, rows: table.rows, sections: [...starts, out.position] }
    const footer = Buffer.from(JSON.stringify({ columns, head } satisfies Footer))
    const length = Buffer.alloc(FOOTER_LENGTH_BYTES)
    length.writeUInt32LE(footer.length)
    out.add(footer)
    out.add(length)
    await out.flush()
    await handle.sync()
    return { digest: out.digest(), head, rows: table.rows - gone.size }
  } catch (error) {
    await rm(file, { force: true })
    throw error
  } finally {
    await handle.close()
  }
}

interface Output {
  add(bytes: Buffer): void
  flush(): Promise<void>
  readonly position: number
  digest(): string
}

function createOutput(handle: FileHandle): Output {
  const sum = createHash('sha256')
  let pending: Buffer[] = []
  let position = 0
  return {
    add(bytes) {
      sum.update(bytes)
      pending.push(bytes)
      position += bytes.length
    },
    async flush() {
      const bytes = Buffer.concat(pending)
      pending = []
      for (let done = 0; done < bytes.length; done += WRITE_BYTES) await handle.appendFile(bytes.subarray(done, done + WRITE_BYTES))
    },
    get position() {
      return position
    },
    digest: () => sum.digest('hex'),
  }
}

interface TableWriter {
  /** Notes where the row begins; answers its text. */
  take(row: StandingRow, position: number): Buffer
  readonly rows: number
  finish(end: number, gone: ReadonlySet<TenantId>): { readonly sections: readonly Buffer[]; readonly names: readonly string[] }
}

function createTableWriter(): TableWriter {
  const offsets: number[] = []
  const ids: TenantId[] = []
  const hashes: number[] = []
  const owners: number[] = []
  const digests: string[] = []
  const summaries: number[] = []
  const names = new Map<string, number>()
  const nameOf = (name: string | undefined): number => {
    if (name === undefined) return NO_NAME
    const known = names.get(name)
    if (known !== undefined) return known
    names.set(name, names.size)
    return names.size - 1
  }
  const point = (kind: Kind, key: string): void => {
    hashes.push(hashOf(kind, key))
    owners.push(offsets.length)
  }
  return {
    take({ good, shard, routeDigest }, position) {
      const { spec, path, blob } = good
      offsets.push(position)
      ids.push(spec.metadata.name)
      point('id', spec.metadata.name)
      point('path', path)
      for (const [field, key] of uniqueKeys(spec)) point(field, key)
      point('owner', ownerKey(spec.spec.owner.email))
      summaries.push(nameOf(spec.spec.product), nameOf(spec.spec.plan), nameOf(shard), STATES.indexOf(spec.spec.state))
      digests.push(routeDigest)
      return Buffer.from(`${JSON.stringify([spec.metadata.name, path, blob, spec])}\n`)
    },
    get rows() {
      return offsets.length
    },
    finish(end, gone) {
      const stays = ids.map((id) => !gone.has(id))
      stays.forEach((stay, row) => (summaries[row * 4 + 3] = stay ? summaries[row * 4 + 3]! : GONE))
      const bytes = (numbers: Uint32Array | Uint16Array): Buffer => Buffer.from(numbers.buffer)
      return { sections: [bytes(Uint32Array.from([...offsets, end])), bytes(hashTable(hashes, owners.map((owner) => (stays[owner - 1] ? owner : 0)))), bytes(Uint16Array.from(summaries)), Buffer.from(digests.join(''), 'base64')], names: [...names.keys()] }
    },
  }
}

type Kind = 'id' | 'path' | 'owner' | UniqueField

/** FNV-1a with a last stir, so that ids that count up are spread as well. */
function hashOf(kind: Kind, key: string): number {
  let value = 0x811c9dc5
  const stir = (text: string): void => {
    for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  }
  stir(kind)
  stir('\n')
  stir(key)
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  return (value ^ (value >>> 13)) >>> 0
}

/** Open addressing, at most half full; holds the number of a row and one more, 0 where nothing is. */
function hashTable(hashes: readonly number[], owners: readonly number[]): Uint32Array {
  const slots = new Uint32Array(2 ** Math.ceil(Math.log2(2 * owners.length + 2)))
  hashes.forEach((value, index) => {
    if (owners[index] === 0) return
    let slot = value & (slots.length - 1)
    while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1)
    slots[slot] = owners[index]!
  })
  return slots
}

/** Undefined where there is no such file, or not with this digest. */
export async function readStandingFile<Head>(file: string, digest: string): Promise<StandingFile<Head> | undefined> {
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (bytes === undefined || hash('sha256', bytes) !== digest) return undefined
  const end = bytes.length - FOOTER_LENGTH_BYTES
  const { columns, head } = JSON.parse(bytes.toString('utf8', end - bytes.readUInt32LE(end), end)) as Footer
  return { head: head as Head, ...readTable(bytes, columns) }
}

function readTable(bytes: Buffer, { names, rows, sections }: Columns): Omit<StandingFile<unknown>, 'head'> {
  const [offsetsAt, slotsAt, summariesAt, digestsAt] = sections as [number, number, number, number]
  const offsets = new Uint32Array(bytes.buffer, bytes.byteOffset + offsetsAt, rows + 1)
  const slots = new Uint32Array(bytes.buffer, bytes.byteOffset + slotsAt, Math.floor((summariesAt - slotsAt) / 4))
  const columns = new Uint16Array(bytes.buffer, bytes.byteOffset + summariesAt, rows * 4)

  function goodAt(row: number): Good<Tenant> {
    const [, path, blob, spec] = JSON.parse(bytes.toString('utf8', offsets[row], offsets[row + 1])) as [TenantId, string, BlobId, Tenant]
    return { spec, path, blob }
  }
  // A row begins with `["`, its id and `"`: ids have nothing that JSON would escape.
  const idAt = (row: number): TenantId => bytes.toString('latin1', offsets[row]! + 2, bytes.indexOf(0x22, offsets[row]! + 2)) as TenantId

  /** Rows that are pointed to from where the key's would be: some are others'. */
  function* near(kind: Kind, key: string): Generator<number> {
    for (let slot = hashOf(kind, key) & (slots.length - 1); slots[slot] !== 0; slot = (slot + 1) & (slots.length - 1)) yield slots[slot]! - 1
  }
  function find(kind: Kind, key: string, fits: (row: number) => boolean): number | undefined {
    for (const row of near(kind, key)) if (fits(row)) return row
    return undefined
  }
  const rowOf = (id: TenantId): number | undefined => find('id', id, (row) => idAt(row) === id)
  const idOf = (row: number | undefined): TenantId | undefined => (row === undefined ? undefined : idAt(row))

  function summaryAt(row: number): TenantSummary {
    const [product, plan, shard, state] = [columns[row * 4], columns[row * 4 + 1], columns[row * 4 + 2], columns[row * 4 + 3]]
    return { tenant: idAt(row), product: names[product!]!, plan: names[plan!]!, state: STATES[state!]!, ...(shard !== NO_NAME && { shard: names[shard!]! as ShardName }) }
  }

  function* standing(): Generator<number> {
    for (let row = 0; row < rows; row++) if (columns[row * 4 + 3] !== GONE) yield row
  }

  return {
    tenants: {
      size: rows - columns.filter((value, index) => index % 4 === 3 && value === GONE).length,
      has: (id) => rowOf(id) !== undefined,
      summary(id) {
        const row = rowOf(id)
        return row === undefined ? undefined : summaryAt(row)
      },
      good(id) {
        const row = rowOf(id)
        return row === undefined ? undefined : goodAt(row)
      },
      atPath: (path) => idOf(find('path', path, (row) => goodAt(row).path === path)),
      holder: (field, key) => idOf(find(field, key, (row) => uniqueKeys(goodAt(row).spec).some(([each, value]) => each === field && value === key))),
      ownedBy: (key) => [...new Set(near('owner', key))].filter((row) => ownerKey(goodAt(row).spec.spec.owner.email) === key).map(idAt),
      *goods() {
        for (const row of standing()) yield goodAt(row)
      },
      *summaries() {
        for (const row of standing()) yield summaryAt(row)
      },
    },
    routeDigest(id) {
      const row = rowOf(id)
      return row === undefined ? undefined : bytes.toString('base64', digestsAt + row * ROUTE_DIGEST_BYTES, digestsAt + (row + 1) * ROUTE_DIGEST_BYTES)
    },
  }
}
