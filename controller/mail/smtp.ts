/**
 * Sends mail to a mail server through nodemailer. The server's answer says what becomes of the mail: 4xx later, 5xx never, as far as it
 * is about this mail; everything about the connection, the sender or the account stops all mail until it is put right.
 */
import { createTransport } from 'nodemailer'
import type { Delivery, MailTransport } from './transport.ts'
import { toNodemailer } from './message.ts'

const TIMES = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 30_000, dnsTimeout: 10_000 }

interface SmtpError {
  readonly code?: string
  readonly command?: string
  readonly responseCode?: number
}

export function createSmtpTransport(url: string): MailTransport {
  // The sender tries again by itself, and knows better when.
  const transport = createTransport({ url, pool: true, maxConnections: 1, maxRequeues: 0, requireTLS: needsTls(url), ...TIMES })
  return {
    async send(message) {
      try {
        await transport.sendMail(toNodemailer(message))
        return { kind: 'sent' }
      } catch (error) {
        return judge(error as SmtpError)
      }
    },
    close: () => transport.close(),
  }
}

/** A password goes over a network only encrypted. */
function needsTls(url: string): boolean {
  const { protocol, username, hostname } = new URL(url)
  return protocol === 'smtp:' && username !== '' && !/^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname)
}

const SHUTTING_DOWN = 421

function judge({ code, command, responseCode }: SmtpError): Delivery {
  const note = `${code ?? 'error'}${responseCode === undefined ? '' : ` ${responseCode}`}${command === undefined ? '' : ` at ${command}`}`
  const aboutThisMail = code === 'EMESSAGE' || (code === 'EENVELOPE' && command !== 'MAIL FROM')
  if (!aboutThisMail || responseCode === undefined || responseCode === SHUTTING_DOWN) return { kind: 'unreachable', note }
  return { kind: responseCode >= 500 ? 'refused' : 'later', note }
}
