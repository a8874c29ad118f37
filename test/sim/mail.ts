/** The mail of the simulated program: the real watcher and outbox, asked when the simulation wants it, and nothing sent. */
import { createSender } from '../../controller/mail/sender.ts'
import { createMailWatcher, type WatcherOptions } from '../../controller/mail/watcher.ts'
import { createMailConditions, createMails } from '../../controller/store/mails.ts'
import { createMeta } from '../../controller/store/meta.ts'
import type { Life } from './mortal.ts'
import type { Machine } from './program.ts'

const quiet = () => undefined
const LOG = { warn: quiet, error: quiet }
/** Everybody's server runs. */
const READY = { status: { conditions: [{ type: 'Ready', status: true }] } }

/** One round over all tenants, as after a start: what the watcher remembers by itself is only when to ask. */
export async function mail({ db, repository, now, chance }: Machine, life: Life): Promise<void> {
  const sender = createSender({ mails: life.wrap(createMails(db)), transport: undefined as never, shop: quiet, refuses: () => false, digest: (text) => text, installation: 'sim', now, chance: () => chance.next(), log: LOG, count: quiet })
  // What is put stays in the outbox: no timer of its own runs.
  await sender.close()
  const records = {
    get: () => READY,
    after: (last: string | undefined) => (last === undefined ? repository.tenants().map(({ metadata }) => ({ tenant: metadata.name })) : []),
  } as unknown as WatcherOptions['records']
  const watcher = createMailWatcher({
    catalog: repository.catalog,
    records,
    usage: quiet,
    keyText: () => 'pmb-v1-key',
    sender,
    conditions: life.wrap(createMailConditions(db)),
    meta: life.wrap(createMeta(db)),
    store: db,
    now,
    log: LOG,
  })
  await watcher.round()
  await watcher.close()
}
