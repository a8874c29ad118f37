/** Mail without a mail server: a file each under HOME/mail, as it would have been sent. Written beside and renamed; sorted by name they are sorted by time. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createTransport } from 'nodemailer'
import { toNodemailer, type Message } from './message.ts'
import type { MailTransport } from './transport.ts'

export function mailFolder(home: string): string {
  return path.join(home, 'mail')
}

export function createFileTransport(folder: string): MailTransport {
  const transport = createTransport({ streamTransport: true, buffer: true, newline: 'unix' })
  return {
    async send(message) {
      try {
        const { message: bytes } = await transport.sendMail(toNodemailer(message))
        mkdirSync(folder, { recursive: true, mode: 0o700 })
        const file = path.join(folder, fileName(message))
        writeFileSync(`${file}.new`, bytes as Buffer, { mode: 0o600 })
        renameSync(`${file}.new`, file)
        return { kind: 'sent' }
      } catch (error) {
        return { kind: 'unreachable', note: (error as NodeJS.ErrnoException).code ?? 'the file could not be written' }
      }
    },
    close: () => transport.close(),
  }
}

/** Of the cause alone: sent twice is written once. */
function fileName({ createdAt, kind, id }: Message): string {
  return `${createdAt.replace(/[:.]/g, '-')}-${kind}-${id.slice(0, 12)}.eml`
}
