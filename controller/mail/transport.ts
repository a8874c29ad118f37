/** Where mail goes. One is chosen by the settings: a mail server (smtp.ts), or files (files.ts). */
import type { Message } from './message.ts'

export type Delivery =
  | { readonly kind: 'sent' }
  /** This mail, not now. */
  | { readonly kind: 'later'; readonly note: string }
  /** This mail, never. */
  | { readonly kind: 'refused'; readonly note: string }
  /** No mail at all now: the server, the way to it, or the settings. */
  | { readonly kind: 'unreachable'; readonly note: string }

export interface MailTransport {
  /** Never rejects. Notes hold no address and nothing of the mail. */
  send(message: Message): Promise<Delivery>
  close(): void
}
