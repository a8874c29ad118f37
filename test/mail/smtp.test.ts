/** Mail through a real SMTP server of this machine, read back with a real parser. */
import { connect, createServer, type AddressInfo } from 'node:net'
import { simpleParser, type ParsedMail } from 'mailparser'
import { describe, expect, onTestFinished, test } from 'vitest'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import type { TenantId } from '../../controller/core/specs.ts'
import type { Mail } from '../../controller/mail/port.ts'
import { createSmtpTransport } from '../../controller/mail/smtp.ts'
import { clockAt, openOutbox, type Clock, type TestOutbox } from './outbox.ts'

const welcome: Mail = { kind: 'welcome', tenant: 'user001' as TenantId, product: 'sq', key: 'pmb-v1-ab12…cd34' }
const quota: Mail = { kind: 'quota', tenant: 'user001' as TenantId, product: 'sq', limit: 'requests', percent: 95 }

interface Received {
  readonly mail: ParsedMail
  readonly raw: string
  readonly to: readonly string[]
  readonly user: string | undefined
}

interface Server {
  readonly url: (account?: string) => string
  readonly received: Received[]
  readonly connections: () => number
}

async function startServer(options: Partial<SMTPServerOptions> = {}): Promise<Server> {
  const received: Received[] = []
  let connections = 0
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS'],
    authOptional: true,
    onConnect(_session, done) {
      connections++
      done()
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const raw = Buffer.concat(chunks)
        void simpleParser(raw).then((mail) => {
          received.push({ mail, raw: raw.toString('latin1'), to: session.envelope.rcptTo.map(({ address }) => address), user: session.user as string | undefined })
          done()
        }, done)
      })
    },
    ...options,
  })
  // A client that goes away in the middle is what some tests are about.
  server.on('error', () => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())))
  const { port } = server.server.address() as AddressInfo
  return { url: (account = '') => `smtp://${account}127.0.0.1:${port}`, received, connections: () => connections }
}

/** Cuts the first connection once the text of a mail is on its way. */
async function startRelay(port: number): Promise<string> {
  let cut = false
  const relay = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    client.on('data', (chunk) => {
      if (!cut && chunk.includes('Subject:')) {
        cut = true
        client.destroy()
        upstream.destroy()
      } else upstream.write(chunk)
    })
    upstream.on('data', (chunk) => client.write(chunk))
    for (const socket of [client, upstream]) socket.on('error', () => undefined).on('close', () => (client.destroy(), upstream.destroy()))
  })
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void relay.close())
  return `smtp://127.0.0.1:${(relay.address() as AddressInfo).port}`
}

function outboxTo(url: string): TestOutbox & { readonly clock: Clock } {
  const clock = clockAt('2026-03-01T12:00:00Z')
  return { ...openOutbox({ transport: createSmtpTransport(url), clock }), clock }
}

const answer = (code: number, text = 'no'): Error => Object.assign(new Error(text), { responseCode: code })

describe('mail by SMTP', () => {
  test('arrives with both parts, its subject, its sender and a stable id', async () => {
    const server = await startServer()
    const { sender, outcomes } = outboxTo(server.url())
    sender.put('welcome/user001', 'ada@example.com', welcome)
    await sender.flush()
    expect(outcomes).toEqual(['welcome sent'])
    const { mail, to, raw } = server.received[0]!
    expect(to).toEqual(['ada@example.com'])
    expect(mail.subject).toBe('Your SQ Cloud is ready')
    expect(mail.from?.value).toEqual([{ address: 'hello@cloud.example', name: 'Cloud Shop' }])
    expect(mail.text).toContain('pmb-v1-ab12…cd34')
    expect(mail.html).toContain('https://cloud.example/dashboard')
    expect(mail.messageId).toMatch(/^<[0-9a-f]{40}@cloud\.example>$/)
    expect(mail.date?.toISOString()).toBe('2026-03-01T12:00:00.000Z')
    expect(raw).toContain('Auto-Submitted: auto-generated')
    expect(raw).not.toMatch(/list-unsubscribe/i)
  })

  test('a hint can be declined with one click (RFC 8058)', async () => {
    const server = await startServer()
    const { sender } = outboxTo(server.url())
    sender.put('quota/1', 'ada@example.com', quota)
    await sender.flush()
    const { raw, mail } = server.received[0]!
    expect(raw.replace(/\r\n[ \t]+/g, ' ')).toContain('List-Unsubscribe: <https://cloud.example/unsubscribe?t=1.abc.def>\r\n')
    expect(raw).toContain('List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n')
    expect(mail.text).toContain('https://cloud.example/unsubscribe?t=1.abc.def')
  })

  test('many mails go over few connections', async () => {
    const server = await startServer()
    const { sender } = outboxTo(server.url())
    for (let n = 0; n < 20; n++) sender.put(`welcome/${n}`, `user${n}@example.com`, welcome)
    await sender.flush()
    expect(new Set(server.received.map(({ mail }) => mail.messageId)).size).toBe(20)
    expect(server.connections()).toBe(1)
  })

  test('signs in where an account is given; a wrong password stops all mail and refuses none', async () => {
    const options: Partial<SMTPServerOptions> = {
      authOptional: false,
      allowInsecureAuth: true,
      onAuth: ({ username, password }, _session, done) => (username === 'shop' && password === 'p@ss' ? done(null, { user: 'shop' }) : done(new Error('wrong'))),
    }
    const server = await startServer(options)
    const good = outboxTo(server.url('shop:p%40ss@'))
    good.sender.put('welcome/1', 'ada@example.com', welcome)
    await good.sender.flush()
    expect(server.received.map(({ user }) => user)).toEqual(['shop'])

    const bad = outboxTo(server.url('shop:other@'))
    bad.sender.put('welcome/1', 'ada@example.com', welcome)
    await bad.sender.flush()
    expect([bad.outcomes, bad.mails.counts().waiting]).toEqual([[], 1])
    expect(bad.log.join()).toContain('EAUTH')
    expect(bad.log.join()).not.toContain('other')
  })

  test('a mailbox that is refused for a while gets its mail later', async () => {
    let refusals = 2
    const server = await startServer({ onRcptTo: (_address, _session, done) => (refusals-- > 0 ? done(answer(451, 'try later')) : done()) })
    const { sender, clock, outcomes } = outboxTo(server.url())
    sender.put('welcome/1', 'ada@example.com', welcome)
    for (let round = 0; round < 3; round++) {
      await sender.flush()
      clock.forward(60_000)
    }
    expect(outcomes).toEqual(['welcome later', 'welcome later', 'welcome sent'])
    expect(server.received).toHaveLength(1)
  })

  test('a mailbox that does not exist is given up at once, and the next mail is sent', async () => {
    const server = await startServer({ onRcptTo: ({ address }, _session, done) => (address.startsWith('nobody') ? done(answer(550, `no ${address} here`)) : done()) })
    const { sender, outcomes, log } = outboxTo(server.url())
    sender.put('welcome/1', 'nobody@example.com', welcome)
    sender.put('welcome/2', 'ada@example.com', welcome)
    await sender.flush()
    expect(outcomes).toEqual(['welcome refused', 'welcome sent'])
    expect(log.join()).toContain('550')
    expect(log.join()).not.toContain('nobody')
  })

  test.each([
    ['for good', 554, 'welcome refused'],
    ['for a while', 452, 'welcome later'],
  ])('a text that is refused %s is settled by the code', async (_how, code, outcome) => {
    const server = await startServer({
      onData(stream, _session, done) {
        stream.resume()
        stream.on('end', () => done(answer(code)))
      },
    })
    const { sender, outcomes } = outboxTo(server.url())
    sender.put('welcome/1', 'ada@example.com', welcome)
    await sender.flush()
    expect(outcomes).toEqual([outcome])
  })

  test('a sender that the server does not take is the shop’s fault: no mail is lost for it', async () => {
    const server = await startServer({ onMailFrom: (_address, _session, done) => done(answer(550)) })
    const { sender, mails } = outboxTo(server.url())
    sender.put('welcome/1', 'ada@example.com', welcome)
    await sender.flush()
    expect(mails.counts().waiting).toBe(1)
  })

  test('a connection that is lost in the middle loses no mail', async () => {
    const server = await startServer()
    const relay = await startRelay(Number(new URL(server.url()).port))
    const { sender, clock, outcomes } = outboxTo(relay)
    sender.put('welcome/1', 'ada@example.com', welcome)
    await sender.flush()
    expect(server.received).toEqual([])
    clock.forward(1_000)
    await sender.flush()
    expect(outcomes).toEqual(['welcome sent'])
    expect(server.received).toHaveLength(1)
  })

  test('a server that is not there loses no mail', async () => {
    const { sender, mails, log } = outboxTo('smtp://127.0.0.1:1')
    sender.put('welcome/1', 'ada@example.com', welcome)
    await sender.flush()
    expect(mails.counts().waiting).toBe(1)
    expect(log[0]).toContain('no mail can be sent now')
  })
})
