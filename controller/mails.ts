/** Joins mail: the outbox in the store, its transport, the shop's looks, the page for declining, and its metrics. */
import { Counter, Gauge, type Registry } from 'prom-client'
import type { FastifyPluginAsync } from 'fastify'
import type { Logger } from 'pino'
import type { CatalogView } from './core/catalog-view.ts'
import type { Installation } from './installation.ts'
import type { Machine } from './machine.ts'
import { createAddressBook } from './mail/addresses.ts'
import { createFileTransport, mailFolder } from './mail/files.ts'
import type { Shop } from './mail/message.ts'
import type { Outbox } from './mail/port.ts'
import { createSender } from './mail/sender.ts'
import { createSmtpTransport } from './mail/smtp.ts'
import type { MailTransport } from './mail/transport.ts'
import { createUnsubscribeRoutes } from './mail/unsubscribe.ts'
import { createMailWatcher } from './mail/watcher.ts'
import type { Settings } from './settings.ts'
import { createMailConditions, createMailRefusals, createMails } from './store/mails.ts'
import { readUsage, usagePath } from './store/usage.ts'

export interface MailPart {
  readonly outbox: Outbox
  /** For the public site. */
  readonly routes: FastifyPluginAsync
  /** Begins to look who is to get mail: once the repository was read. */
  watch(): void
  close(): Promise<void>
}

export interface MailPartOptions {
  readonly installation: Installation
  readonly machine: Machine
  readonly log: Logger
  readonly registry: Registry
  /** Known once the gateway listens; nothing is sent before. */
  readonly publicUrl: () => string
}

export function startMails({ installation, machine: { now, chance }, log, registry, publicUrl }: MailPartOptions): MailPart {
  const { stores, keyring, catalog, settings } = installation
  const mails = createMails(stores.durable)
  const addresses = createAddressBook({ keyring, refusals: createMailRefusals(stores.durable), now })
  const transport = transportOf(settings)
  const sender = createSender({
    mails,
    transport,
    shop: () => (publicUrl() === '' ? undefined : shopOf(catalog, settings, publicUrl(), addresses.token)),
    refuses: addresses.refuses,
    digest: keyring.digest,
    installation: installation.id,
    now,
    chance,
    log,
    count: addMetrics(registry, mails.counts, now),
  })
  const watcher = createMailWatcher({
    catalog,
    records: stores.records,
    usage: () => readUsage(usagePath(settings.home)),
    keyText: (tenant, key) => (key.nonce === undefined || !keyring.masterVersions.includes(key.master ?? 1) ? undefined : keyring.keyOf(tenant, key)),
    sender,
    conditions: createMailConditions(stores.durable),
    meta: stores.meta,
    store: stores.durable,
    now,
    log,
  })
  const forget = installation.source.onTouched(watcher.touched)
  // What waited when the program ended.
  void sender.flush()
  return {
    outbox: sender,
    routes: createUnsubscribeRoutes(addresses),
    watch: watcher.start,
    async close() {
      forget()
      await watcher.close()
      await sender.close()
      transport.close()
    },
  }
}

function transportOf({ mail, home }: Settings): MailTransport {
  return mail.kind === 'smtp' ? createSmtpTransport(mail.url) : createFileTransport(mailFolder(home))
}

/** White can be read on it. */
const PLAIN_ACCENT = '#2f5bd7'

function shopOf(catalog: CatalogView, settings: Settings, publicUrl: string, token: (address: string) => string): Shop {
  const platform = catalog.platform?.spec
  const name = platform?.site?.name ?? 'Tenantry'
  return {
    publicUrl,
    from: settings.mail.from ?? `${name.replace(/["\\<>\r\n]/g, '')} <noreply@${platform?.domain ?? 'localhost'}>`,
    unsubscribeUrl: (address) => `${publicUrl}/unsubscribe?t=${token(address)}`,
    brand(product) {
      const spec = catalog.product(product ?? platform?.site?.product ?? '')?.spec
      const title = product === undefined ? (platform?.site?.name ?? spec?.title ?? name) : (spec?.title ?? product)
      return { title, accent: spec?.site?.accent.light ?? PLAIN_ACCENT, support: spec?.site?.support ?? platform?.links?.support }
    },
  }
}

function addMetrics(registry: Registry, counts: () => { readonly waiting: number; readonly oldest: string | undefined }, now: () => Date): (kind: string, outcome: string) => void {
  const registers = [registry]
  const mails = new Counter({ name: 'tenantry_mails_total', help: 'Mails, by kind and what became of them.', labelNames: ['kind', 'outcome'], registers })
  new Gauge({ name: 'tenantry_mails_waiting', help: 'Mails that wait to be sent.', registers, collect() {
    this.set(counts().waiting)
  } })
  new Gauge({ name: 'tenantry_mail_oldest_waiting_seconds', help: 'Since when the longest-waiting mail waits; 0 where none does.', registers, collect() {
    const { oldest } = counts()
    this.set(oldest === undefined ? 0 : Math.max(0, (now().getTime() - Date.parse(oldest)) / 1000))
  } })
  return (kind, outcome) => mails.inc({ kind, outcome })
}
