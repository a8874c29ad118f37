/** As a customer on the dashboard: signed in by a link from the mail, each action followed to its commit and to the gateway, in the sandbox. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { statusOf, store } from '../e2e/requests.ts'
import { makeInstallation } from '../support/installation.ts'
import { has } from '../support/parts.ts'
import { gitIn } from '../support/repository.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { accessibilityProblems, DESKTOP, launch, openPage, PHONE, type WatchedPage } from './chromium.ts'

const MOST_BYTES = 150_000
const PATIENCE_MS = 20_000
const WITH = { viewport: DESKTOP }
const WITHOUT_SCRIPT = { viewport: PHONE, javaScriptEnabled: false }

interface Bought {
  readonly tenant: string
  readonly key: string
}

describe.skipIf(!has('chromium'))('on the dashboard', () => {
  const installation = makeInstallation(path.join(tempFolder('browser'), 'home'), {}, afterAll)
  let browser: Browser
  let url: string

  beforeAll(async () => {
    url = (await installation.start()).publicUrl
    browser = await launch()
    return () => browser.close()
  }, 90_000)

  const buy = (username: string): Promise<Bought> => installation.json<Bought>('buy', '--plan', 'sq-founder', '--email', `${username}@example.com`, '--username', username)
  const lastCommit = (): string => gitIn(path.join(installation.home, 'tenants.git'), 'log', '-1', '--format=%an: %B', 'main')

  /** The newest mail's link, once there is one more than before. */
  async function linkInMail(before: number): Promise<string> {
    return waitFor(() => {
      const files = mails()
      const text = files.length > before ? readFileSync(files.at(-1)!, 'utf8').replace(/=\r?\n/g, '').replaceAll('=3D', '=') : ''
      return /https?:\/\/\S+\/auth\/link\?token=[\w.~%-]+/.exec(text)?.[0]
    }, 'the mail with the link', PATIENCE_MS)
  }
  function mails(): string[] {
    const folder = path.join(installation.home, 'mail')
    return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.eml')).sort().map((name) => path.join(folder, name)).filter((file) => readFileSync(file, 'utf8').includes('/auth/link')) : []
  }

  async function signedIn(username: string, options: BrowserContextOptions): Promise<WatchedPage> {
    const opened = await openPage(browser, options)
    onTestFinished(() => opened.page.context().close())
    const { page } = opened
    await page.goto(`${url}/dashboard`)
    await page.locator('input[name=email]').first().fill(`${username}@example.com`)
    const before = mails().length
    await page.getByRole('button', { name: /link/i }).first().click()
    await page.goto(await linkInMail(before))
    await page.getByRole('main').getByRole('button').last().click()
    await page.waitForURL(/\/dashboard/)
    return opened
  }

  async function open(page: Page, { tenant }: Bought, section: string): Promise<void> {
    await page.goto(`${url}/dashboard/${tenant}${section}`)
  }

  it.each([
    ['with', 'withscript', WITH],
    ['without', 'noscript', WITHOUT_SCRIPT],
  ] as const)('keys are made, used, revoked, restored and rotated %s JavaScript, each a commit of the owner', async (_name, username, options) => {
    const bought = await buy(username)
    const { page, complaints } = await signedIn(username, options)
    expect(page.url()).toBe(`${url}/dashboard/${bought.tenant}`)

    await open(page, bought, '/keys')
    await page.getByLabel('Name').last().fill('laptop')
    await page.getByRole('button', { name: 'Make the key' }).click()
    const key = (await page.locator('#fresh-key').textContent())!
    expect(lastCommit()).toMatch(new RegExp(`^Tenantry: keys: ${bought.tenant}: key k2 made: all\n[\\s\\S]*By: owner of ${bought.tenant}$`))
    await waitFor(async () => (await store(installation.run.localUrl, key, 'hello')).status === 200, 'the key works', PATIENCE_MS)

    await page.getByText('Change', { exact: false }).last().click()
    await page.getByRole('button', { name: 'Revoke now' }).last().click()
    await page.getByText('The key is revoked').waitFor()
    expect(lastCommit()).toContain('key k2 revoked')
    await waitFor(async () => (await statusOf(installation.run.localUrl, key)) === 401, 'the key opens nothing', PATIENCE_MS)
    await page.getByRole('button', { name: 'Take the revocation back' }).click()
    await page.getByText('The key works again').waitFor()
    await waitFor(async () => (await statusOf(installation.run.localUrl, key)) === 200, 'the key works again', PATIENCE_MS)

    await page.getByText('Change', { exact: false }).last().click()
    await page.getByRole('button', { name: 'Rotate' }).last().click()
    await page.locator('#fresh-key').waitFor()
    expect(lastCommit()).toContain('key k2 rotated: k3 takes its place')
    await page.reload()
    expect(await page.locator('#fresh-key').count()).toBe(0)

    await open(page, bought, '/history')
    expect(await page.locator('.past > li').first().textContent()).toContain('You')
    expect(await page.locator('.past > li').last().textContent()).toContain('Payment')
    expect(complaints).toEqual([])
  })

  it('the account is listed, exported and closed, and Stripe charges nothing after that', async () => {
    const bought = await buy('leaver')
    await store(installation.run.localUrl, bought.key, 'mine')
    const { page } = await signedIn('leaver', WITH)
    await open(page, bought, '/account')
    await page.getByRole('button', { name: 'I agree: list me' }).click()
    await page.getByText('You stand on the founders page', { exact: true }).waitFor()
    expect(lastCommit()).toContain(`account: ${bought.tenant}: agreed to stand on the founders page`)
    await page.goto(`${url}/founders`)
    expect(await page.getByRole('main').textContent()).toContain('leaver')

    await open(page, bought, '/account')
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download everything' }).click()])
    expect(readFileSync(await download.path(), 'latin1')).toContain('mine')

    await page.getByLabel(`Type ${bought.tenant} to confirm`).fill(bought.tenant)
    await page.getByRole('button', { name: `Close ${bought.tenant} for good` }).click()
    await page.getByText('It is closed').waitFor()
    expect(gitIn(path.join(installation.home, 'tenants.git'), 'show', `main:tenants/sq/000/${bought.tenant}.yaml`)).toMatch(/state: ended[\s\S]*stateReason: closed by its owner/)
    await waitFor(async () => (await statusOf(installation.run.localUrl, bought.key)) !== 200, 'the key opens nothing', PATIENCE_MS)
    await open(page, bought, '')
    expect(await page.locator('#live .figure').first().textContent()).toContain('Ended')
  })

  it('every page weighs little, asks nobody else, and can be used by everybody, in light and dark, on a desktop and a phone', async () => {
    const bought = await buy('reader')
    for (const options of [{ viewport: DESKTOP, colorScheme: 'light' }, { viewport: PHONE, colorScheme: 'dark' }] as const) {
      const { page, weights, origins, complaints } = await signedIn('reader', options)
      await weights()
      for (const section of ['', '/keys', '/connect', '/usage', '/billing', '/history', '/refusals', '/account']) {
        await open(page, bought, section)
        const bytes = [...(await weights()).values()].reduce((sum, each) => sum + each, 0)
        expect([section, bytes < MOST_BYTES]).toEqual([section, true])
        expect([section, await accessibilityProblems(page)]).toEqual([section, []])
        await page.setViewportSize({ width: 320, height: 640 })
        expect([section, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([section, 320])
        await page.setViewportSize(options.viewport)
      }
      expect([...origins]).toEqual([new URL(url).origin])
      expect(complaints).toEqual([])
    }
  })
})
