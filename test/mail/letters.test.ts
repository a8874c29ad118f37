/** What is written in mail of every kind: both parts say the same, links are whole, nothing secret and nothing from outside. */
import { simpleParser } from 'mailparser'
import fc from 'fast-check'
import { createTransport } from 'nodemailer'
import { describe, expect, test } from 'vitest'
import type { TenantId } from '../../controller/core/specs.ts'
import { composeMessage, toNodemailer, type Shop } from '../../controller/mail/message.ts'
import type { Mail } from '../../controller/mail/port.ts'
import { SHOP } from './outbox.ts'

const tenant = 'user001' as TenantId
const [product, key, endsAt] = ['sq', 'pmb-v1-ab12…cd34', '2026-03-08T09:30:00Z']
const MAILS: readonly Mail[] = [
  { kind: 'welcome', tenant, product, key },
  { kind: 'payment-failed', tenant, product, graceUntil: endsAt },
  { kind: 'payment-failed', tenant, product },
  { kind: 'suspended', tenant, product, reason: 'payment is overdue' },
  { kind: 'ending', tenant, product, endsAt },
  { kind: 'ended', tenant, product, dataUntil: endsAt },
  { kind: 'quota', tenant, product, limit: 'storage', percent: 80 },
  { kind: 'quota', tenant, product, limit: 'requests', percent: 95 },
  { kind: 'trial-ends', tenant, product, endsAt },
  { kind: 'old-key-used', tenant, product, key, endsAt },
  { kind: 'sign-in', link: 'https://cloud.example/in/abc?x=1&y=2', minutes: 15 },
  { kind: 'confirm-address', link: 'https://cloud.example/confirm/abc', minutes: 60 },
]

const compose = (mail: Mail, shop: Shop = SHOP) => composeMessage({ mail, to: 'ada@example.com', digest: 'ab'.repeat(32), createdAt: '2026-03-01T12:00:00Z' }, shop)
const render = async (mail: Mail, shop?: Shop): Promise<string> => String((await createTransport({ streamTransport: true, buffer: true }).sendMail(toNodemailer(compose(mail, shop)))).message)

const linksIn = (html: string): string[] => [...html.matchAll(/(?:href|src|action)="([^"]*)"/g)].map(([, url]) => url!.replaceAll('&#38;', '&'))

describe.each(MAILS.map((mail) => [`${mail.kind}${'limit' in mail ? ` of ${mail.limit}` : ''}${'graceUntil' in mail ? ' with a grace' : ''}`, mail] as const))('a mail about %s', (_name, mail) => {
  test('has a subject and both parts, which name the same links', () => {
    const { subject, text, html } = compose(mail)
    expect(subject.length).toBeGreaterThan(5)
    expect(text.length).toBeGreaterThan(50)
    const links = linksIn(html)
    expect(links.length).toBeGreaterThan(0)
    for (const link of links) expect(text).toContain(link)
  })

  test('links to whole addresses of the shop only, and fetches nothing', () => {
    const { html } = compose(mail)
    for (const link of linksIn(html)) expect(link).toMatch(/^(https:\/\/cloud\.example\/|mailto:help@cloud\.example$)/)
    expect(html).not.toMatch(/<(img|script|link|iframe|object|form)|url\(|@import|undefined|NaN|Invalid Date/i)
  })

  test('holds no key but masked', () => {
    const { html, text, subject } = compose(mail)
    expect(`${html}${text}${subject}`).not.toMatch(/pmb-v1-[0-9a-f]{5,}/)
  })

  test('is read back as it was written', async () => {
    const { subject, text } = compose(mail)
    const parsed = await simpleParser(await render(mail))
    expect(parsed.subject).toBe(subject)
    expect(parsed.text?.replace(/\s+/g, ' ').trim()).toBe(text.replace(/\s+/g, ' ').trim())
  })
})

describe('mail', () => {
  test('wears the product’s title and accent', () => {
    const shop: Shop = { ...SHOP, brand: () => ({ title: 'Spoq <Cloud>', accent: '#b4231f', support: undefined }) }
    const { html, subject } = compose(MAILS[0]!, shop)
    expect(subject).toBe('Your Spoq <Cloud> is ready')
    expect(html).toContain('background:#b4231f')
    expect(html).not.toContain('<Cloud>')
  })

  test('nothing that a file or a customer says begins a line of the head', async () => {
    const words = fc.array(fc.oneof(fc.constantFrom('\r', '\n', '\r\n', '\u2028', '\0', 'Bcc: eve@example.com', '\r\nBcc: eve@example.com', ' ', ','), fc.string({ maxLength: 5 })), { maxLength: 8 }).map((parts) => parts.join(''))
    await fc.assert(
      fc.asyncProperty(words, words, async (title, reason) => {
        const raw = await render({ kind: 'suspended', tenant: reason as TenantId, product, reason }, { ...SHOP, brand: () => ({ title, accent: '#000000', support: undefined }) })
        const head = raw.slice(0, raw.indexOf('\r\n\r\n'))
        const names = head.split(/\r\n(?![ \t])/).map((line) => line.split(':')[0]!.toLowerCase())
        expect(names.toSorted()).toEqual(['auto-submitted', 'content-type', 'date', 'from', 'message-id', 'mime-version', 'subject', 'to'])
        expect(head).not.toMatch(/[^\r]\n|\r[^\n]/)
      }),
      { numRuns: 200 },
    )
  })
})
