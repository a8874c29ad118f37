/** The sandbox's page of mail, over files that the real transport wrote. */
import { statSync, writeFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import Fastify from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { createFileTransport } from '../../controller/mail/files.ts'
import type { Mail } from '../../controller/mail/port.ts'
import type { TenantId } from '../../controller/core/specs.ts'
import { createMailPage } from '../../sandbox/mail-page.ts'
import { openOutbox } from '../mail/outbox.ts'
import { tempFolder } from '../support/temp.ts'

const suspended = (reason: string): Mail => ({ kind: 'suspended', tenant: 'user001' as TenantId, product: 'sq', reason })

async function pageOf(folder: string) {
  const app = Fastify()
  await app.register(createMailPage(folder))
  onTestFinished(() => app.close())
  return (url: string) => app.inject(url)
}

async function write(folder: string, ...mails: Mail[]): Promise<void> {
  const { sender } = openOutbox({ transport: createFileTransport(folder) })
  mails.forEach((mail, index) => sender.put(`c/${index}`, 'ada@example.com', mail))
  await sender.flush()
}

test('mail without a server is a file each, for its owner alone, the same one when it is sent again', async () => {
  const folder = path.join(tempFolder('mail'), 'mail')
  await write(folder, suspended('one'))
  await write(folder, suspended('one'))
  const files = readdirSync(folder)
  expect(files).toEqual([expect.stringMatching(/^2026-03-01T12-00-00-000Z-suspended-[0-9a-f]{12}\.eml$/)])
  expect(statSync(path.join(folder, files[0]!)).mode & 0o777).toBe(0o600)
})

test('shows that there is none, then all of it, each with both parts and links to follow', async () => {
  const folder = path.join(tempFolder('mail'), 'mail')
  const get = await pageOf(folder)
  expect((await get('/mail')).body).toContain('No mail yet')
  await write(folder, suspended('overdue'), { kind: 'quota', tenant: 'user001' as TenantId, product: 'sq', limit: 'storage', percent: 80 })
  const list = (await get('/mail')).body
  const urls = [...list.matchAll(/href="(\/mail\/[^"]+)"/g)].map(([, url]) => url!)
  expect(urls).toHaveLength(2)
  const pages = await Promise.all(urls.map(async (url) => (await get(url)).body))
  expect(pages.join()).toContain('<a href="https://cloud.example/dashboard">')
  expect(pages.join()).toContain('<a href="https://cloud.example/unsubscribe?t=1.abc.def">')
  expect((await get(`${urls[0]!}/html`)).body).toContain('<a target="_blank" rel="noreferrer" href="https://cloud.example/dashboard"')
})

test('nothing in a mail runs, and no other file is shown', async () => {
  const home = tempFolder('mail')
  const folder = path.join(home, 'mail')
  writeFileSync(path.join(home, 'secret.eml'), 'Subject: secret\n\nsecret')
  await write(folder, suspended('<script>alert(1)</script>'))
  const get = await pageOf(folder)
  const url = /href="(\/mail\/[^"]+)"/.exec((await get('/mail')).body)![1]!
  const [page, html] = await Promise.all([get(url), get(`${url}/html`)])
  expect(page.body + html.body).not.toContain('<script>')
  expect(page.headers['content-security-policy']).toContain("default-src 'none'")
  expect(html.headers['content-security-policy']).toContain('sandbox')
  for (const name of ['..%2Fsecret.eml', '%2e%2e/secret.eml', 'secret.eml']) expect((await get(`/mail/${name}`)).statusCode).toBe(404)
})
