/** Mail with links as files under HOME, until there is an outbox that sends it. */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Outbox } from '../mail/port.ts'

export function createMailFiles(home: string, now: () => Date): Outbox {
  const folder = path.join(home, 'mail')
  return {
    put(cause, to, mail) {
      if (mail.kind !== 'sign-in' && mail.kind !== 'confirm-address') return false
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      const name = `${now().toISOString().replace(/[:.]/g, '-')}-${cause.replace(/[^\w-]+/g, '-')}.eml`
      writeFileSync(path.join(folder, name), `To: ${to}\nSubject: ${mail.kind}\n\n${mail.link}\n`, { mode: 0o600 })
      return true
    },
  }
}
