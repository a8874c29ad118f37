/** A mail on its way to a transport: everything that stands in it, the same at every attempt. */
import type { SendMailOptions } from 'nodemailer'
import type { Timestamp } from '../core/specs.ts'
import { letterHtml, letterText, type Letterhead } from './letter.ts'
import { isHint, writeLetter } from './letters.ts'
import type { Mail } from './port.ts'

export interface Message {
  /** Of the cause alone, so that a mail sent twice by a crash is one to mail programs. Without angle brackets. */
  readonly id: string
  readonly kind: Mail['kind']
  readonly createdAt: Timestamp
  readonly from: string
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly html: string
  readonly unsubscribeUrl: string | undefined
}

/** What a letter needs to know of the shop, asked when it is written. */
export interface Shop {
  /** Title and looks of a product; of the shop itself without one. */
  brand(product: string | undefined): { readonly title: string; readonly accent: string; readonly support: string | undefined }
  readonly publicUrl: string
  readonly from: string
  unsubscribeUrl(address: string): string
}

export interface MessageInput {
  readonly mail: Mail
  readonly to: string
  /** Hex, of the cause. */
  readonly digest: string
  readonly createdAt: Timestamp
}

export function composeMessage({ mail, to, digest, createdAt }: MessageInput, shop: Shop): Message {
  const { title, accent, support } = shop.brand('product' in mail ? mail.product : undefined)
  const letter = writeLetter(mail, { title, publicUrl: shop.publicUrl })
  const unsubscribeUrl = isHint(mail.kind) ? shop.unsubscribeUrl(to) : undefined
  const because = 'tenant' in mail ? `You have this mail because ${mail.tenant} is registered with your address.` : 'You have this mail because somebody gave this address.'
  const head: Letterhead = { name: title, accent, because, support, unsubscribeUrl }
  return { id: `${digest.slice(0, 40)}@${domainOf(shop.from)}`, kind: mail.kind, createdAt, from: shop.from, to, subject: oneLine(letter.subject), text: letterText(letter, head), html: letterHtml(letter, head), unsubscribeUrl }
}

/** Nothing in a subject begins another line of the head. nodemailer sees to it as well. */
function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f\u2028\u2029]+/g, ' ').trim()
}

export function domainOf(from: string): string {
  return /@([^\s<>"@]+?)>?$/.exec(from)?.[1] ?? 'localhost'
}

/** As nodemailer takes it. Files and addresses are never fetched for it. */
export function toNodemailer({ id, from, to, subject, text, html, createdAt, unsubscribeUrl }: Message): SendMailOptions {
  return {
    messageId: `<${id}>`,
    date: new Date(createdAt),
    from,
    to: { name: '', address: to },
    subject,
    text,
    html,
    // RFC 3834: answering machines stay quiet.
    headers: { 'Auto-Submitted': 'auto-generated', ...(unsubscribeUrl !== undefined && { 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' }) },
    ...(unsubscribeUrl !== undefined && { list: { unsubscribe: unsubscribeUrl } }),
    disableFileAccess: true,
    disableUrlAccess: true,
  }
}
