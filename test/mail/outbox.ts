/** An outbox on a real store, whose transport is a list or a real one. */
import path from 'node:path'
import { createHash } from 'node:crypto'
import { onTestFinished } from 'vitest'
import type { Delivery, MailTransport } from '../../controller/mail/transport.ts'
import type { Message, Shop } from '../../controller/mail/message.ts'
import { createSender, type Sender } from '../../controller/mail/sender.ts'
import { openStore, type Store } from '../../controller/store/db.ts'
import { createMails, type Mails } from '../../controller/store/mails.ts'
import { tempFolder } from '../support/temp.ts'

export const SHOP: Shop = {
  publicUrl: 'https://cloud.example',
  from: 'Cloud Shop <hello@cloud.example>',
  unsubscribeUrl: () => 'https://cloud.example/unsubscribe?t=1.abc.def',
  brand: (product) => ({ title: product === undefined ? 'Cloud Shop' : 'SQ Cloud', accent: '#2f5bd7', support: 'mailto:help@cloud.example' }),
}

export interface Clock {
  now(): Date
  forward(ms: number): void
}

export function clockAt(start: string): Clock {
  let at = Date.parse(start)
  return { now: () => new Date(at), forward: (ms) => (at += ms) }
}

export interface TestOutbox {
  readonly sender: Sender
  readonly mails: Mails
  readonly db: Store
  readonly file: string
  readonly outcomes: string[]
  readonly log: string[]
}

export interface OutboxParts {
  readonly transport: MailTransport
  readonly clock?: Clock
  readonly file?: string
  readonly refuses?: (address: string) => boolean
}

export function openOutbox({ transport, clock = clockAt('2026-03-01T12:00:00Z'), file = path.join(tempFolder('outbox'), 'store.db'), refuses = () => false }: OutboxParts): TestOutbox {
  const db = openStore(file, 'durable')
  const mails = createMails(db)
  const outcomes: string[] = []
  const log: string[] = []
  const write = (data: object, message: string): void => void log.push(`${message} ${JSON.stringify(data)}`)
  const sender = createSender({ mails, transport, shop: () => SHOP, refuses, digest: (text) => createHash('sha256').update(text).digest('hex'), installation: 'i1', now: clock.now, chance: () => 0, log: { warn: write, error: write }, count: (kind, outcome) => outcomes.push(`${kind} ${outcome}`) })
  onTestFinished(async () => {
    await sender.close()
    transport.close()
    if (db.isOpen) db.close()
  })
  return { sender, mails, db, file, outcomes, log }
}

/** Keeps what it is given; answers as it is told. */
export function listTransport(answer: (message: Message, attempt: number) => Delivery = () => ({ kind: 'sent' })): MailTransport & { readonly messages: Message[] } {
  const messages: Message[] = []
  return {
    messages,
    async send(message) {
      messages.push(message)
      return answer(message, messages.length)
    },
    close: () => undefined,
  }
}
