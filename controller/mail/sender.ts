/**
 * The outbox at work: what was put there durably is sent, tried again with growing gaps, and given up when its time is over. One mail
 * a cause whatever crashes, as far as it is in our hands: a crash between the server's yes and our writing it down sends a mail twice
 * with one Message-ID, by which mail programs show it once (docs/decisions).
 */
import { backoffMs } from '../core/backoff.ts'
import type { Timestamp } from '../core/specs.ts'
import { createPacemaker } from '../reconcile/pacemaker.ts'
import type { Mails, WaitingMail } from '../store/mails.ts'
import { isHint } from './letters.ts'
import { composeMessage, type Shop } from './message.ts'
import type { Mail, Outbox } from './port.ts'
import type { Delivery, MailTransport } from './transport.ts'

export interface SenderLog {
  warn(data: object, message: string): void
  error(data: object, message: string): void
}

export interface SenderOptions {
  readonly mails: Mails
  readonly transport: MailTransport
  /** Undefined as long as its address is not known: nothing is sent before. */
  readonly shop: () => Shop | undefined
  /** Whether the reader wants no hints. */
  readonly refuses: (address: string) => boolean
  readonly digest: (text: string) => string
  /** Told apart from other installations, so that ids of mails never meet. */
  readonly installation: string
  readonly now: () => Date
  readonly chance: () => number
  readonly log: SenderLog
  readonly count: (kind: string, outcome: 'sent' | 'skipped' | 'refused' | 'given-up' | 'later') => void
}

export interface Sender extends Outbox {
  /** A cause that is not to be told: noted as if it had been. False where it has its row already. */
  pass(cause: string, kind: Mail['kind'], note: string): boolean
  /** Sends what is due and resolves when that was tried. */
  flush(): Promise<void>
  close(): Promise<void>
}

const DAY_MS = 86_400_000
const GIVE_UP_AFTER_MS = 4 * DAY_MS
const LINKS = ['sign-in', 'confirm-address'] as const
const LINK_ROWS_KEPT_MS = 2 * DAY_MS
const AT_ONCE = 50
const IDLE_MS = 60_000
const NOT_OPEN_MS = 250
/** A mailbox is asked again after 2 seconds at first, and at last every hour. */
const RETRY_FACTOR = 12
/** Nobody can have such an address (RFC 2606): it stands for one that is not known. */
const NOBODY = /\.invalid$/i

export function createSender(options: SenderOptions): Sender {
  const { mails, now, count } = options
  const trouble: Trouble = { failures: 0, untilMs: 0 }
  const pacemaker = createPacemaker(() => send(options, trouble))
  const timestamp = (): Timestamp => now().toISOString()

  function pass(cause: string, kind: Mail['kind'], note: string): boolean {
    const isNew = mails.skip(cause, kind, note, timestamp())
    if (isNew) count(kind, 'skipped')
    return isNew
  }

  return {
    put(cause, to, mail) {
      if (NOBODY.test(to)) return pass(cause, mail.kind, 'no address is known')
      const createdAt = now()
      const livesMs = 'minutes' in mail ? mail.minutes * 60_000 : GIVE_UP_AFTER_MS
      const isNew = mails.add({ cause, kind: mail.kind, recipient: to, mail: JSON.stringify(mail), createdAt: createdAt.toISOString(), expiresAt: new Date(createdAt.getTime() + livesMs).toISOString() })
      if (isNew) pacemaker.poke()
      return isNew
    },
    pass,
    flush: pacemaker.beat,
    close: pacemaker.close,
  }
}

/** While nothing can be sent at all: asking for more mail does not make it be tried sooner. */
interface Trouble {
  failures: number
  untilMs: number
}

/** One round; answers when to look again, in milliseconds. */
async function send(options: SenderOptions, trouble: Trouble): Promise<number> {
  const { mails, now, chance, log } = options
  const backOff = (): number => {
    const waitMs = backoffMs(++trouble.failures, chance())
    trouble.untilMs = now().getTime() + waitMs
    return waitMs
  }
  try {
    const shop = options.shop()
    if (shop === undefined) return NOT_OPEN_MS
    sweep(options)
    if (trouble.untilMs > now().getTime()) return trouble.untilMs - now().getTime()
    for (const mail of mails.due(now().toISOString(), AT_ONCE)) {
      const note = await sendOne(options, shop, mail)
      if (note !== undefined) {
        if (trouble.failures % 50 === 0) log.error({ note, failures: trouble.failures + 1 }, 'no mail can be sent now; all of it waits. Look at SMTP_URL, MAIL_FROM and the mail server')
        return backOff()
      }
      trouble.failures = 0
    }
    const next = mails.nextDueAt()
    return next === undefined ? IDLE_MS : Math.min(IDLE_MS, Math.max(0, Date.parse(next) - now().getTime()))
  } catch (err) {
    log.error({ err }, 'the outbox cannot be read or written; it is looked at again')
    return backOff()
  }
}

function sweep({ mails, now, log, count }: SenderOptions): void {
  const at = now()
  for (const kind of mails.expire(at.toISOString())) {
    count(kind, 'given-up')
    log.warn({ kind }, 'a mail was given up: it could not be sent in time')
  }
  mails.forget(LINKS, new Date(at.getTime() - LINK_ROWS_KEPT_MS).toISOString())
}

/** Sends one mail and writes down what became of it. Answers why nothing can be sent at all now. */
async function sendOne(options: SenderOptions, shop: Shop, waiting: WaitingMail): Promise<string | undefined> {
  const { mails, transport, digest, installation, now, chance, log, count } = options
  const { cause, recipient, attempts, createdAt } = waiting
  const mail = JSON.parse(waiting.mail) as Mail
  const settle = (end: 'sent' | 'skipped' | 'refused', note: string | null): undefined => {
    mails.settle(cause, end, note, now().toISOString())
    count(mail.kind, end)
  }
  /** A mail that cannot even be written stands in the way of no other. */
  const deliver = (): Promise<Delivery> => {
    try {
      return transport.send(composeMessage({ mail, to: recipient, digest: digest(`${installation}\n${cause}`), createdAt }, shop))
    } catch (err) {
      log.error({ kind: mail.kind, err }, 'a mail cannot be written')
      return Promise.resolve({ kind: 'later', note: 'it could not be written' })
    }
  }
  if (isHint(mail.kind) && options.refuses(recipient)) return settle('skipped', 'declined by the reader')
  const delivery = await deliver()
  switch (delivery.kind) {
    case 'sent':
      return settle('sent', null)
    case 'refused':
      log.warn({ kind: mail.kind, note: delivery.note }, 'a mail was refused for good by the mail server')
      return settle('refused', delivery.note)
    case 'later':
      mails.retry(cause, delivery.note, new Date(now().getTime() + RETRY_FACTOR * backoffMs(attempts + 1, chance())).toISOString())
      count(mail.kind, 'later')
      return undefined
    case 'unreachable':
      return delivery.note
  }
}
