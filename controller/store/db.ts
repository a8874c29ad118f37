/**
 * The embedded store: one SQLite file under HOME, in WAL mode. This file owns opening it and its tables; each table has one
 * module beside it that reads and writes it. Everything here can be rebuilt from the repository, the master key and Stripe,
 * except held deletions' approvals, where adopted data lies, the audit trail, and who may sign in.
 */
import { mkdirSync, chmodSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Each entry brings the store one version further; entries are only ever added. */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  -- Parsed specs by content hash: a start reads JSON instead of YAML. With row ids, so that new rows go to the end, and not anywhere as hashes do.
  CREATE TABLE specs (blob TEXT PRIMARY KEY, spec TEXT NOT NULL) STRICT;

  -- What Tenantry made or tried to: a row for each tenant it ever acted on, until its data is destroyed.
  CREATE TABLE tenants (
    tenant TEXT PRIMARY KEY,
    product TEXT NOT NULL,
    path TEXT NOT NULL,
    applied_blob TEXT,              -- spec that is in force: the last good one
    applied_revision TEXT,          -- revision that it came with
    attempted_revision TEXT,        -- last revision that was tried
    status TEXT NOT NULL,           -- JSON: conditions, next attempt
    removed_at TEXT,                -- set when its file left the repository, or its spec ended
    removed_revision TEXT,
    data_until TEXT                 -- data is kept at least until then
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tenants_removed ON tenants (removed_at) WHERE removed_at IS NOT NULL;

  -- Numbers already given to tenants: written before the push, never lowered.
  CREATE TABLE highest_numbers (product TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;

  -- Removals of one revision that wait for a person, and what was approved.
  CREATE TABLE deletions (revision TEXT NOT NULL, tenant TEXT NOT NULL, approved_by TEXT, approved_at TEXT, PRIMARY KEY (revision, tenant)) STRICT, WITHOUT ROWID;

  -- Webhook events, stored before they are answered. "tenant" is what the event's Checkout session was served with: it stays when the tenant's file is removed.
  CREATE TABLE inbox (
    id TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    object TEXT,                    -- id of the Stripe object that the event is about
    body TEXT NOT NULL,             -- as received; empty for types that nothing is done with
    received_at TEXT NOT NULL,
    trace TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'done', 'ignored', 'held')),
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at TEXT NOT NULL,
    note TEXT,
    tenant TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX inbox_open ON inbox (next_attempt_at) WHERE state IN ('pending', 'held');
  CREATE INDEX inbox_served ON inbox (object) WHERE tenant IS NOT NULL;

  -- Steps of a trace, from payment to the first successful request.
  CREATE TABLE timeline (trace TEXT NOT NULL, step TEXT NOT NULL, tenant TEXT, at TEXT NOT NULL, detail TEXT, PRIMARY KEY (trace, step)) STRICT, WITHOUT ROWID;
  CREATE INDEX timeline_tenant ON timeline (tenant);

  CREATE TABLE audit (id INTEGER PRIMARY KEY, at TEXT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, tenant TEXT, detail TEXT NOT NULL) STRICT;
  CREATE INDEX audit_tenant ON audit (tenant, id);
  `,
  `
  -- Data folders that were taken over from an SQ installation, by the digests of the keys that open them.
  CREATE TABLE adoptions (
    digest TEXT PRIMARY KEY,
    folder TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('noted', 'linked', 'moved')),
    tenant TEXT,                    -- whose it is, once it is in place
    noted_at TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX adoptions_tenant ON adoptions (tenant) WHERE tenant IS NOT NULL;
  CREATE INDEX adoptions_folder ON adoptions (folder);
  `,
  `
  -- Tenants whose rows changed since the file of standing tenants was begun that is in force, or a later one ("round"): a start looks at these by themselves.
  CREATE TABLE loose (tenant TEXT PRIMARY KEY, round INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TRIGGER loose_insert AFTER INSERT ON tenants WHEN EXISTS (SELECT 1 FROM meta WHERE name = 'standing-round') BEGIN
    INSERT OR REPLACE INTO loose (tenant, round) VALUES (NEW.tenant, (SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'standing-round'));
  END;
  CREATE TRIGGER loose_update AFTER UPDATE ON tenants WHEN EXISTS (SELECT 1 FROM meta WHERE name = 'standing-round') BEGIN
    INSERT OR REPLACE INTO loose (tenant, round) VALUES (NEW.tenant, (SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'standing-round'));
  END;
  CREATE TRIGGER loose_delete AFTER DELETE ON tenants WHEN EXISTS (SELECT 1 FROM meta WHERE name = 'standing-round') BEGIN
    INSERT OR REPLACE INTO loose (tenant, round) VALUES (OLD.tenant, (SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'standing-round'));
  END;
  `,
  `
  -- Mail to customers: one row for each cause, for good, so that nothing is told twice. Address and text go when the row is settled.
  CREATE TABLE mails (
    cause TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    recipient TEXT,
    mail TEXT,                      -- JSON
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'skipped', 'refused', 'given-up')),
    note TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,       -- not sent after that
    next_attempt_at TEXT NOT NULL,
    settled_at TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX mails_waiting ON mails (next_attempt_at) WHERE state = 'waiting';

  -- Conditions that hold and were told, until they hold no more: then they may be told again.
  CREATE TABLE mail_conditions (tenant TEXT NOT NULL, condition TEXT NOT NULL, since TEXT NOT NULL, PRIMARY KEY (tenant, condition)) STRICT, WITHOUT ROWID;

  -- Who wants nothing that is not essential: by a keyed digest, never by address.
  CREATE TABLE mail_refusals (address TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT, WITHOUT ROWID;

  -- Usage of metered plans on its way to Stripe: one row for each tenant, meter and finished day on which something was used.
  CREATE TABLE meter_reports (
    tenant TEXT NOT NULL,
    event TEXT NOT NULL,            -- name of the meter at Stripe
    month TEXT NOT NULL,            -- that it counts for
    day TEXT NOT NULL,              -- that was over: of the month, or shortly after it for what came late
    revision TEXT NOT NULL,         -- of the repository, whose plan and tenant set the terms
    terms TEXT NOT NULL,            -- JSON
    units INTEGER NOT NULL,
    identifier TEXT NOT NULL UNIQUE,
    at INTEGER NOT NULL,            -- seconds since 1970: when Stripe is told that it was used
    state TEXT NOT NULL CHECK (state IN ('nothing', 'waiting', 'sent', 'refused', 'doubtful', 'too-late')),
    first_attempt_at TEXT,          -- of the attempts whose outcome is not known
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at TEXT NOT NULL,
    note TEXT,
    PRIMARY KEY (tenant, event, month, day)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX meter_reports_waiting ON meter_reports (next_attempt_at) WHERE state = 'waiting';
  `,
  `
  -- People who sign in. An address has one account that is proved to be its owner's, and beside it any number of registrations that nobody confirmed yet.
  CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL,            -- lower case
    password_hash TEXT,             -- Argon2id in PHC format; null: signs in by mail or through a provider
    email_verified_at TEXT,
    created_at TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX accounts_verified ON accounts (email) WHERE email_verified_at IS NOT NULL;
  CREATE INDEX accounts_unconfirmed ON accounts (created_at) WHERE email_verified_at IS NULL;

  CREATE TABLE sessions (
    digest TEXT PRIMARY KEY,        -- SHA-256 of the token, which nobody but the person has
    id TEXT NOT NULL UNIQUE,        -- by which it is ended; opens nothing
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL,
    seen_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    agent TEXT NOT NULL             -- family of the browser or program
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sessions_account ON sessions (account);

  -- Links that came by mail and were not followed yet.
  CREATE TABLE sign_in_links (
    digest TEXT PRIMARY KEY,        -- SHA-256 of the token in the link
    email TEXT NOT NULL,
    registration TEXT,              -- the unconfirmed account that asked for it; null: a plain sign-in
    next TEXT NOT NULL,
    expires_at TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- Trials that agents asked for: the calls of two days.
  CREATE TABLE agent_signups (
    request TEXT PRIMARY KEY,       -- digest of the name that the agent gave its call
    asked TEXT NOT NULL,            -- digest of what it asked for
    network TEXT NOT NULL,          -- keyed digest of where it came from
    nonce TEXT NOT NULL,            -- of the tenant's first key, by which the tenant is found again
    at TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX agent_signups_network ON agent_signups (network, at);
  CREATE INDEX agent_signups_at ON agent_signups (at);
  `,
  `
  -- Slots and user names of Checkout sessions that are open: held before the session is made, so that nothing is sold twice.
  CREATE TABLE checkout_holds (
    hold TEXT PRIMARY KEY,          -- random
    request TEXT NOT NULL UNIQUE,   -- digest of what was asked for: the same twice is one hold
    session TEXT UNIQUE,            -- absent until Stripe has made it
    plan TEXT NOT NULL,
    product TEXT NOT NULL,
    username TEXT,
    buyer TEXT NOT NULL,            -- digest of the e-mail address
    takes_slot INTEGER NOT NULL,
    expires_at TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX checkout_holds_plan ON checkout_holds (plan);

  -- Refunds and disputes, which end nothing by themselves: a person looks and says done.
  CREATE TABLE billing_cases (
    id TEXT PRIMARY KEY,            -- Stripe's, of the charge or the dispute
    kind TEXT NOT NULL CHECK (kind IN ('refund', 'dispute')),
    tenant TEXT,
    amount INTEGER NOT NULL,        -- in the currency's smallest unit
    currency TEXT NOT NULL,
    status TEXT NOT NULL,
    since TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    settled_at TEXT,
    settled_by TEXT
  ) STRICT, WITHOUT ROWID;

  -- What the last comparison with Stripe left different, and since when.
  CREATE TABLE billing_differences (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,          -- Stripe's id of the subscription or session
    tenant TEXT,
    detail TEXT NOT NULL,
    stops INTEGER NOT NULL,         -- 1 where putting it right would stop the tenant
    since TEXT NOT NULL,
    seen_at TEXT NOT NULL,
    approved_by TEXT,               -- a person lets it through above the limit
    PRIMARY KEY (kind, subject)
  ) STRICT, WITHOUT ROWID;
  `,
  // The tenant that came of an agent's call.
  'ALTER TABLE agent_signups ADD COLUMN tenant TEXT',
]

export type Store = DatabaseSync

/**
 * Opens the store, making it or bringing it up to date. `durable` connections wait for the disk at each commit, for what must
 * survive a power cut once it was acknowledged (payments, ids); the others survive the end of the program at any instant, which
 * is enough for what can be worked out again.
 * @throws when the file was written by a newer version of Tenantry.
 */
export function openStore(file: string, durability: 'durable' | 'rebuildable'): Store {
  mkdirSync(path.dirname(file), { recursive: true })
  const db = new DatabaseSync(file)
  chmodSync(file, 0o600)
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${durability === 'durable' ? 'FULL' : 'NORMAL'}; PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON`)
  migrate(db, file)
  return db
}

function migrate(db: Store, file: string): void {
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number }
  if (version > MIGRATIONS.length) {
    throw new Error(`${file} was written by a newer Tenantry (store version ${version}, this one knows ${MIGRATIONS.length}). Start the newer version, or restore an older copy of the file.`)
  }
  MIGRATIONS.slice(version).forEach((sql, index) => transaction(db, () => db.exec(`${sql}; PRAGMA user_version = ${version + index + 1}`)))
}

/** Runs `work` in one transaction: all of it or nothing. Must not be nested. */
export function transaction<T>(db: Store, work: () => T): T {
  db.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    db.exec('COMMIT')
    return result
  } catch (error) {
    db.exec('ROLLBACK')
    throw error
  }
}
