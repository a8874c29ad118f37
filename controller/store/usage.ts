/**
 * The gateway's own database, HOME/gateway/usage.db: what each tenant used, by key and day, and the refusals that people ask about.
 * One writer, the gateway; anybody on the machine may read beside it. Counts are added in one transaction a batch, so that a kill
 * loses a batch or keeps it, and never counts it twice.
 */
import { chmodSync, mkdirSync, renameSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { transaction } from './db.ts'

/** Each entry brings the file one version further; entries are only ever added. */
const MIGRATIONS: readonly string[] = [
  `
  -- A key's use of a day (UTC).
  CREATE TABLE usage (
    tenant TEXT NOT NULL,
    day TEXT NOT NULL,
    key TEXT NOT NULL,
    requests INTEGER NOT NULL,      -- passed on, counted against quotas
    refused INTEGER NOT NULL,       -- answered by the gateway with a refusal
    errors INTEGER NOT NULL,        -- of the requests, those that the instance failed
    bytes_in INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    PRIMARY KEY (tenant, day, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX usage_day ON usage (day);

  CREATE TABLE keys_used (tenant TEXT NOT NULL, key TEXT NOT NULL, last_used_at TEXT NOT NULL, PRIMARY KEY (tenant, key)) STRICT, WITHOUT ROWID;

  -- Bytes stored, as last known on a day.
  CREATE TABLE storage (tenant TEXT NOT NULL, day TEXT NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (tenant, day)) STRICT, WITHOUT ROWID;

  CREATE TABLE refusals (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,        -- the request id in the answer
    at TEXT NOT NULL,
    tenant TEXT NOT NULL,           -- empty: no tenant was known
    key TEXT NOT NULL,
    product TEXT NOT NULL,
    plan TEXT NOT NULL,
    status INTEGER NOT NULL,
    code TEXT NOT NULL,
    detail TEXT NOT NULL,
    measured TEXT                   -- JSON: limit, value, used, when it resets
  ) STRICT;
  `,
  `
  -- Of keys that have a budget: the requests of their whole life, those of keys made from them included.
  CREATE TABLE budgets (tenant TEXT NOT NULL, key TEXT NOT NULL, spent INTEGER NOT NULL, PRIMARY KEY (tenant, key)) STRICT, WITHOUT ROWID;
  `,
  `
  -- Whole months of what is older than the days that are kept.
  CREATE TABLE usage_months (
    tenant TEXT NOT NULL,
    month TEXT NOT NULL,
    key TEXT NOT NULL,
    requests INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    bytes_in INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    PRIMARY KEY (tenant, month, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE storage_months (tenant TEXT NOT NULL, month TEXT NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (tenant, month)) STRICT, WITHOUT ROWID;
  `,
]

/** One year and a day; what is older is kept by month. */
const KEPT_DAYS_SQL = `day < date(?, '-366 days')`

export interface Counts {
  readonly requests: number
  readonly refused: number
  readonly errors: number
  readonly bytesIn: number
  readonly bytesOut: number
}

export interface KeyCounts extends Counts {
  readonly tenant: string
  readonly key: string
  readonly day: string
}

export interface RefusalRecord {
  readonly id: string
  readonly at: string
  /** Empty where the request carried no key that is known. */
  readonly tenant: string
  readonly key: string
  readonly product: string
  readonly plan: string
  readonly status: number
  readonly code: string
  readonly detail: string
  /** What it was measured against, as in the answer's body. */
  readonly measured: Readonly<Record<string, unknown>> | undefined
}

/** Taken from a key's budget, or given back. */
export interface KeySpent {
  readonly tenant: string
  readonly key: string
  readonly requests: number
}

export interface UsageBatch {
  /** Added to what is there. */
  readonly counts: Iterable<KeyCounts>
  readonly lastUsed: Iterable<{ readonly tenant: string; readonly key: string; readonly at: string }>
  readonly storage: Iterable<{ readonly tenant: string; readonly day: string; readonly bytes: number }>
  readonly spent?: Iterable<KeySpent>
  readonly refusals: Iterable<RefusalRecord>
}

export interface Usage {
  /** All of it or nothing. */
  write(batch: UsageBatch): void
  /** Requests of each tenant on the days from `monthStart` on, and of those the ones of `day`. */
  requestsSince(monthStart: string, day: string): Map<string, { readonly month: number; readonly day: number }>
  /** By day, newest first. */
  history(tenant: string, fromDay: string): (Counts & { readonly day: string; readonly storageBytes: number | null })[]
  keysSince(tenant: string, fromDay: string): (Counts & { readonly key: string })[]
  /** By calendar month, newest first: from the days that are kept, and from what was laid together before them. */
  months(tenant: string): (Counts & { readonly month: string; readonly storageBytes: number | null })[]
  lastUsed(tenant: string): Map<string, string>
  /** Tenants with use on any of these days. */
  usedBetween(fromDay: string, toDay: string): string[]
  /** Tenants with a key that was used at or after a time. */
  usedSince(at: string): string[]
  /** What keys with a budget have used of it. */
  spent(): Iterable<KeySpent>
  storageBytes(tenant: string): number | undefined
  refusal(id: string): RefusalRecord | undefined
  /** Newest first. */
  refusalsOf(tenant: string, most: number): RefusalRecord[]
  /** Lays what is older than a year together by month, and removes all but the newest `keptRefusals`. */
  prune(today: string, keptRefusals: number): void
  close(): void
}

export function usagePath(home: string): string {
  return path.join(home, 'gateway', 'usage.db')
}

/**
 * Opens the file, making it or bringing it up to date. @throws where it cannot be used: `openUsageOrAnew` never does.
 */
export function openUsage(file: string): Usage {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
  const db = new DatabaseSync(file)
  try {
    chmodSync(file, 0o600)
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 2000')
    migrate(db, file)
    return createUsage(db)
  } catch (error) {
    db.close()
    throw error
  }
}

/**
 * Customers are served whatever happened to the file: a damaged one is put aside and counting begins anew; where no file can be used at
 * all, such as on a full disk, counts are kept in memory until the program ends.
 */
export function openUsageOrAnew(file: string, now: Date, onTrouble: (error: unknown, message: string) => void): Usage {
  try {
    return openUsage(file)
  } catch (error) {
    if (!isDamage(error)) return inMemory(error, onTrouble)
    const aside = `${file}.damaged-${now.toISOString().replace(/[:.]/g, '-')}`
    try {
      for (const ending of ['', '-wal', '-shm']) moveIfThere(file + ending, aside + ending)
      onTrouble(error, `it was put aside as ${path.basename(aside)}, and counting begins anew`)
      return openUsage(file)
    } catch (again) {
      return inMemory(again, onTrouble)
    }
  }
}

/** SQLITE_CORRUPT and SQLITE_NOTADB. */
function isDamage(error: unknown): boolean {
  const { errcode } = error as { errcode?: number }
  return errcode !== undefined && [11, 26].includes(errcode & 0xff)
}

function inMemory(error: unknown, onTrouble: (error: unknown, message: string) => void): Usage {
  onTrouble(error, 'counts are kept in memory only, and quotas begin anew')
  const db = new DatabaseSync(':memory:')
  migrate(db, 'the database in memory')
  return createUsage(db)
}

/** For reading beside a gateway that writes; undefined where no gateway ever ran. */
export function readUsage(file: string): Pick<Usage, 'history' | 'keysSince' | 'lastUsed' | 'usedBetween' | 'usedSince' | 'storageBytes' | 'refusal' | 'refusalsOf' | 'close'> | undefined {
  try {
    return createUsage(new DatabaseSync(file, { readOnly: true }))
  } catch {
    return undefined
  }
}

function moveIfThere(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

function migrate(db: DatabaseSync, file: string): void {
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number }
  if (version > MIGRATIONS.length) throw new Error(`${file} was written by a newer Tenantry (version ${version}, this one knows ${MIGRATIONS.length})`)
  MIGRATIONS.slice(version).forEach((sql, index) => transaction(db, () => db.exec(`${sql}; PRAGMA user_version = ${version + index + 1}`)))
}

const SUMS = 'SUM(requests) requests, SUM(refused) refused, SUM(errors) errors, SUM(bytes_in) bytesIn, SUM(bytes_out) bytesOut'
const COUNTS_SQL = 'requests, refused, errors, bytes_in, bytes_out'
/** The month in which the days that are kept begin is in both; its days are the later ones. */
const MONTHS_SQL = `SELECT month, ${SUMS}, COALESCE(
    (SELECT bytes FROM storage WHERE tenant = :tenant AND day LIKE month || '-%' ORDER BY day DESC LIMIT 1),
    (SELECT bytes FROM storage_months s WHERE s.tenant = :tenant AND s.month = all_months.month)) storageBytes
  FROM (SELECT month, ${COUNTS_SQL} FROM usage_months WHERE tenant = :tenant UNION ALL SELECT substr(day, 1, 7) month, ${COUNTS_SQL} FROM usage WHERE tenant = :tenant) all_months
  GROUP BY month ORDER BY month DESC`

function createUsage(db: DatabaseSync): Usage {
  const statements = new Map<string, StatementSync>()
  const prepare = (sql: string): StatementSync => {
    let statement = statements.get(sql)
    if (statement === undefined) statements.set(sql, (statement = db.prepare(sql)))
    return statement
  }

  return {
    write: (batch) => transaction(db, () => writeBatch(prepare, batch)),
    requestsSince(monthStart, day) {
      const rows = prepare('SELECT tenant, SUM(requests) month, SUM(CASE WHEN day = ? THEN requests ELSE 0 END) day FROM usage WHERE day >= ? GROUP BY tenant').all(day, monthStart)
      return new Map(rows.map((row) => [row['tenant'] as string, { month: row['month'] as number, day: row['day'] as number }]))
    },
    history(tenant, fromDay) {
      const sql = `SELECT usage.day, ${SUMS}, (SELECT bytes FROM storage WHERE storage.tenant = usage.tenant AND storage.day = usage.day) storageBytes
        FROM usage WHERE tenant = ? AND day >= ? GROUP BY day ORDER BY day DESC`
      return prepare(sql).all(tenant, fromDay) as unknown as ReturnType<Usage['history']>
    },
    keysSince: (tenant, fromDay) => prepare(`SELECT key, ${SUMS} FROM usage WHERE tenant = ? AND day >= ? GROUP BY key ORDER BY key`).all(tenant, fromDay) as unknown as ReturnType<Usage['keysSince']>,
    months(tenant) {
      return prepare(MONTHS_SQL).all({ tenant }) as unknown as ReturnType<Usage['months']>
    },
    lastUsed: (tenant) => new Map(prepare('SELECT key, last_used_at at FROM keys_used WHERE tenant = ?').all(tenant).map((row) => [row['key'] as string, row['at'] as string])),
    usedBetween: (from, to) => prepare('SELECT DISTINCT tenant FROM usage WHERE day >= ? AND day <= ? ORDER BY tenant').all(from, to).map((row) => row['tenant'] as string),
    usedSince: (at) => prepare('SELECT DISTINCT tenant FROM keys_used WHERE last_used_at >= ?').all(at).map((row) => row['tenant'] as string),
    spent: () => prepare('SELECT tenant, key, spent requests FROM budgets').all() as unknown as KeySpent[],
    storageBytes: (tenant) => (prepare('SELECT bytes FROM storage WHERE tenant = ? ORDER BY day DESC LIMIT 1').get(tenant)?.['bytes'] ?? prepare('SELECT bytes FROM storage_months WHERE tenant = ? ORDER BY month DESC LIMIT 1').get(tenant)?.['bytes']) as number | undefined,
    refusal: (id) => toRefusal(prepare('SELECT * FROM refusals WHERE id = ?').get(id)),
    refusalsOf: (tenant, most) => prepare('SELECT * FROM refusals WHERE tenant = ? ORDER BY number DESC LIMIT ?').all(tenant, most).flatMap((row) => toRefusal(row) ?? []),
    prune(today, keptRefusals) {
      transaction(db, () => {
        rollUp(prepare, today)
        prepare(`DELETE FROM usage WHERE ${KEPT_DAYS_SQL}`).run(today)
        prepare(`DELETE FROM storage WHERE ${KEPT_DAYS_SQL}`).run(today)
        prepare('DELETE FROM refusals WHERE number <= (SELECT MAX(number) FROM refusals) - ?').run(keptRefusals)
      })
    },
    close: () => (db.isOpen ? db.close() : undefined),
  }
}

function rollUp(prepare: (sql: string) => StatementSync, today: string): void {
  prepare(`INSERT INTO usage_months (tenant, month, key, requests, refused, errors, bytes_in, bytes_out)
    SELECT tenant, substr(day, 1, 7), key, SUM(requests), SUM(refused), SUM(errors), SUM(bytes_in), SUM(bytes_out) FROM usage WHERE ${KEPT_DAYS_SQL} GROUP BY tenant, substr(day, 1, 7), key
    ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, refused = refused + excluded.refused, errors = errors + excluded.errors,
      bytes_in = bytes_in + excluded.bytes_in, bytes_out = bytes_out + excluded.bytes_out`).run(today)
  // The month's last day is the last to come.
  prepare(`INSERT INTO storage_months (tenant, month, bytes) SELECT tenant, substr(day, 1, 7), bytes FROM storage WHERE ${KEPT_DAYS_SQL} ORDER BY day
    ON CONFLICT DO UPDATE SET bytes = excluded.bytes`).run(today)
}

function writeBatch(prepare: (sql: string) => StatementSync, { counts, lastUsed, storage, spent = [], refusals }: UsageBatch): void {
  const add = prepare(`INSERT INTO usage (tenant, day, key, requests, refused, errors, bytes_in, bytes_out) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, refused = refused + excluded.refused, errors = errors + excluded.errors,
      bytes_in = bytes_in + excluded.bytes_in, bytes_out = bytes_out + excluded.bytes_out`)
  for (const { tenant, day, key, requests, refused, errors, bytesIn, bytesOut } of counts) add.run(tenant, day, key, requests, refused, errors, bytesIn, bytesOut)
  const use = prepare('INSERT INTO keys_used VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET last_used_at = excluded.last_used_at')
  for (const { tenant, key, at } of lastUsed) use.run(tenant, key, at)
  const store = prepare('INSERT INTO storage VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET bytes = excluded.bytes')
  for (const { tenant, day, bytes } of storage) store.run(tenant, day, bytes)
  const spend = prepare('INSERT INTO budgets VALUES (?, ?, MAX(0, ?)) ON CONFLICT DO UPDATE SET spent = MAX(0, spent + ?)')
  for (const { tenant, key, requests } of spent) spend.run(tenant, key, requests, requests)
  const refuse = prepare('INSERT OR REPLACE INTO refusals (id, at, tenant, key, product, plan, status, code, detail, measured) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
  for (const { id, at, tenant, key, product, plan, status, code, detail, measured } of refusals) {
    refuse.run(id, at, tenant, key, product, plan, status, code, detail, measured === undefined ? null : JSON.stringify(measured))
  }
}

function toRefusal(row: Record<string, unknown> | undefined): RefusalRecord | undefined {
  if (row === undefined) return undefined
  const { id, at, tenant, key, product, plan, status, code, detail, measured } = row as unknown as Omit<RefusalRecord, 'measured'> & { readonly measured: string | null }
  return { id, at, tenant, key, product, plan, status, code, detail, measured: measured === null ? undefined : (JSON.parse(measured) as Record<string, unknown>) }
}
