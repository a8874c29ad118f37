/** Declining hints: by the mail program's one click, or on the page, and taking it back. */
import Fastify, { type FastifyInstance } from 'fastify'
import path from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { createAddressBook, type AddressBook } from '../../controller/mail/addresses.ts'
import { createUnsubscribeRoutes } from '../../controller/mail/unsubscribe.ts'
import { openStore, type Store } from '../../controller/store/db.ts'
import { createMailRefusals } from '../../controller/store/mails.ts'
import { mac } from '../support/specs.ts'
import { tempFolder } from '../support/temp.ts'

let db: Store
let addresses: AddressBook
let app: FastifyInstance
const bookUnder = (...versions: [number, ...number[]]): AddressBook => createAddressBook({ keyring: { mac, masterVersion: versions[0], masterVersions: versions }, refusals: createMailRefusals(db), now: () => new Date('2026-03-01T12:00:00Z') })
const at = (token: string, more = ''): string => `/unsubscribe?t=${encodeURIComponent(token)}${more}`

beforeEach(async () => {
  db = openStore(path.join(tempFolder('unsubscribe'), 'store.db'), 'durable')
  addresses = bookUnder(1)
  app = Fastify()
  await app.register(createUnsubscribeRoutes(addresses))
  onTestFinished(async () => {
    await app.close()
    db.close()
  })
})

describe('/unsubscribe', () => {
  test('one click declines, whatever the body is written as', async () => {
    for (const [type, payload] of [
      ['application/x-www-form-urlencoded', 'List-Unsubscribe=One-Click'],
      ['multipart/form-data; boundary=x', '--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'],
    ] as const) {
      const address = `${type.length}@example.com`
      const answer = await app.inject({ method: 'POST', url: at(addresses.token(address)), headers: { 'content-type': type }, payload })
      expect(answer.statusCode).toBe(200)
      expect(addresses.refuses(address)).toBe(true)
    }
  })

  test('looking changes nothing: programs that look at mail follow every link', async () => {
    const token = addresses.token('ada@example.com')
    const answer = await app.inject(at(token))
    expect([answer.statusCode, answer.body.includes('No more hints')]).toEqual([200, true])
    expect(addresses.refuses('ada@example.com')).toBe(false)
  })

  test('can be taken back on the page', async () => {
    const token = addresses.token('ada@example.com')
    const declined = await app.inject({ method: 'POST', url: at(token) })
    const form = /action="([^"]+)"/.exec(declined.body)![1]!.replaceAll('&#38;', '&')
    await app.inject({ method: 'POST', url: form })
    expect(addresses.refuses('ada@example.com')).toBe(false)
  })

  test('knows an address however it is written, and no other', async () => {
    await app.inject({ method: 'POST', url: at(addresses.token('Ada@Example.com ')) })
    expect([addresses.refuses('ada@example.com'), addresses.refuses('eve@example.com')]).toEqual([true, false])
  })

  test.each(['', '1.abc.def', 'x'.repeat(5000), `9.${'a'.repeat(32)}.${'b'.repeat(32)}`])('a token that is not ours changes nothing', async (token) => {
    const answer = await app.inject({ method: 'POST', url: at(token) })
    expect(answer.statusCode).toBe(404)
    expect(db.prepare('SELECT count(*) AS n FROM mail_refusals').get()).toEqual({ n: 0 })
  })

  test('a token that was changed is not ours', async () => {
    const [version, digest, seal] = addresses.token('ada@example.com').split('.')
    const other = digest!.replace(/./, (digit) => (digit === 'a' ? 'b' : 'a'))
    expect((await app.inject({ method: 'POST', url: at([version, other, seal].join('.')) })).statusCode).toBe(404)
  })

  test('what was declined stays so when the master secret is changed, and the old one dropped later', () => {
    addresses.decline(addresses.read(addresses.token('ada@example.com'))!)
    expect(bookUnder(2, 1).refuses('ada@example.com')).toBe(true)
    expect(bookUnder(2).refuses('ada@example.com')).toBe(true)
  })

  test('neither the link nor the store holds the address', () => {
    const token = addresses.token('ada@example.com')
    addresses.decline(addresses.read(token)!)
    expect(`${token}${JSON.stringify(db.prepare('SELECT * FROM mail_refusals').all())}`).not.toMatch(/ada|example/)
  })
})
