/** As a buyer: from the landing page to a key that stores and fetches, through the real program and a real browser, in the sandbox. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { fetchBack, store } from '../e2e/requests.ts'
import { makeInstallation } from '../support/installation.ts'
import { has } from '../support/parts.ts'
import { cloneRepository } from '../support/repository.ts'
import { tempFolder } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { BUYER, DASHBOARD, signIn } from './site-pages.ts'
import { accessibilityProblems, DESKTOP, launch, openPage, PHONE, type WatchedPage } from './chromium.ts'

const MOST_BYTES = 150_000

describe.skipIf(!has('chromium'))('in a browser', () => {
  const installation = makeInstallation(path.join(tempFolder('browser'), 'home'), {}, afterAll)
  let browser: Browser
  let url: string

  beforeAll(async () => {
    url = (await installation.start()).publicUrl
    browser = await launch()
    return () => browser.close()
  }, 90_000)

  async function visit(options: Parameters<typeof openPage>[1] = {}): Promise<WatchedPage> {
    const opened = await openPage(browser, options)
    onTestFinished(() => opened.page.context().close())
    return opened
  }

  async function signUp(page: Page, username: string): Promise<void> {
    await page.goto(url)
    await page.getByRole('link', { name: 'Get Your Instance' }).last().click()
    await page.getByLabel('E-mail address').fill(`${username}@example.com`)
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill(username)
    await page.getByRole('button', { name: 'Start 14 days free' }).click()
    await page.waitForURL(/\/pay\/cs_/)
  }

  async function payAndRead(page: Page): Promise<string> {
    await page.getByRole('button', { name: 'Start the trial' }).click()
    await page.getByRole('heading', { name: 'Your instance is running' }).waitFor()
    await page.getByText('Show the key').click()
    return (await page.locator('#key').textContent())!
  }

  it.each([
    ['a desktop', { viewport: DESKTOP }, 'desk'],
    ['a phone', { viewport: PHONE, isMobile: true, hasTouch: true }, 'phone'],
    ['a desktop without JavaScript', { viewport: DESKTOP, javaScriptEnabled: false }, 'plain-desk'],
    ['a phone without JavaScript', { viewport: PHONE, javaScriptEnabled: false }, 'plain-phone'],
  ])('a buyer on %s gets from the landing page to a key that stores and fetches', async (_name, options, username) => {
    const { page, complaints } = await visit(options)
    await signUp(page, username)
    const key = await payAndRead(page)
    expect(await store(installation.run.localUrl, key, `from ${username}`)).toMatchObject({ status: 200 })
    expect(await fetchBack(installation.run.localUrl, key)).toEqual({ status: 200, text: `from ${username}` })
    expect(complaints).toEqual([])
  })

  it('somebody else who has the address of the page after paying sees no key there', async () => {
    const { page } = await visit()
    await signUp(page, 'phished')
    const key = await payAndRead(page)
    const { page: other } = await visit()
    await other.goto(page.url())
    await other.getByText('Sign in with the address you paid with to see the key').waitFor()
    expect(await other.content()).not.toContain(key)
    await other.getByRole('link', { name: 'Sign in', exact: true }).last().click()
    await other.waitForURL(/\/auth\/sign-in\?next=/)
  })

  it('the settings for OpenClaw are downloaded with address and key in them', async () => {
    const { page } = await visit()
    await signUp(page, 'clawed')
    const key = await payAndRead(page)
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download the OpenClaw settings' }).click()])
    expect(download.suggestedFilename()).toBe('openclaw-sq-memory.yaml')
    const text = readFileSync(await download.path(), 'utf8')
    expect(text).toContain(`endpoint: ${url}`)
    expect(text).toContain(`api_key: ${key}`)
  })

  it('a name is checked while it is typed, and what is refused stands beside its field with everything kept', async () => {
    const { page } = await visit()
    await page.goto(`${url}/signup`)
    const name = page.getByRole('textbox', { name: 'Name', exact: true })
    await name.pressSequentially('ada')
    await page.getByText('ada is taken.').waitFor()
    await name.fill('nobody-yet')
    await page.getByText('nobody-yet is free.').waitFor()
    await name.fill('ada')
    await page.getByLabel('E-mail address').fill('somebody@example.com')
    await page.getByLabel('Yearly').check()
    await page.getByRole('button', { name: 'Start 14 days free' }).click()
    await page.getByText('The user name ada is taken. Choose another one.').waitFor()
    expect(await name.inputValue()).toBe('ada')
    expect(await page.getByLabel('E-mail address').inputValue()).toBe('somebody@example.com')
    expect(await page.getByLabel('Yearly').isChecked()).toBe(true)
    expect(await name.getAttribute('aria-invalid')).toBe('true')
  })

  it('a cancelled checkout comes back to the form, and says that nothing was charged', async () => {
    const { page } = await visit()
    await signUp(page, 'hesitant')
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByText('Nothing was charged').waitFor()
    expect(await page.getByRole('button', { name: 'Start 14 days free' }).isVisible()).toBe(true)
  })

  it('a purchase moves the bar in a browser that is open elsewhere, within a second', async () => {
    const { page: watcher } = await visit()
    const { page: buyer } = await visit()
    await Promise.all([watcher.waitForResponse(/founding-progress\/stream/), watcher.goto(url)])
    const claimed = watcher.locator('[data-part=claimed]').first()
    const before = Number(await claimed.textContent())
    await signUp(buyer, 'mover')
    await buyer.getByRole('button', { name: 'Start the trial' }).click()
    // How soon a purchase is committed is another test's; here it counts from when the repository has it.
    const counted = async (): Promise<number> => ((await (await fetch(`${installation.run.localUrl}/api/founding-progress`)).json()) as { claimed: number }).claimed
    await waitFor(async () => (await counted()) === before + 1, 'the purchase is counted', 30_000)
    const countedAt = performance.now()
    await waitFor(async () => Number(await claimed.textContent()) === before + 1, 'the number moved')
    expect(performance.now() - countedAt).toBeLessThan(1_000)
    expect(Number(await watcher.locator('progress').first().evaluate((bar) => (bar as unknown as { value: number }).value))).toBe(before + 1)
  })

  describe.each([
    ['light', DESKTOP],
    ['dark', PHONE],
  ] as const)('in %s colours', (colorScheme, viewport) => {
    it.each(['/', '/pricing', '/signup', '/guide', '/founders', '/support', '/status', '/nowhere', '/welcome?session=cs_test_0000000000000000', '/welcome', '/products/spoq', '/products/contextlite', '/products/sq-dedicated', '/products/contextlite/pricing', '/products/spoq/signup', '/auth/sign-in', '/auth/password', '/auth/register', '/auth/check-mail'])('%s weighs little, asks nobody else, and can be used by everybody', async (address) => {
      const { page, weights, origins, complaints } = await visit({ colorScheme, viewport })
      await page.goto(`${url}${address}`)
      const bytes = [...(await weights()).values()].reduce((sum, each) => sum + each, 0)
      expect(bytes).toBeLessThan(MOST_BYTES)
      expect([...origins]).toEqual([new URL(url).origin])
      expect(complaints.filter((text) => !text.includes('404 (Not Found)'))).toEqual([])
      expect(await accessibilityProblems(page)).toEqual([])
      // Nothing sticks out at the side, down to the narrowest phone.
      await page.setViewportSize({ width: 320, height: 640 })
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(320)
    })
  })

  it('a buyer who closed the browser gets by a mailed link to the dashboard, whose pages weigh little and can be used by everybody', async () => {
    const { page } = await visit()
    await signUp(page, BUYER)
    await payAndRead(page)
    const tenant = await page.locator('#tenant').textContent()
    const cookies = await signIn(browser, { publicUrl: url, home: installation.home })
    for (const [, address] of [...DASHBOARD, ['sessions', undefined] as const]) {
      const { page: inside, weights, origins, complaints } = await visit()
      await inside.context().addCookies(cookies)
      await inside.goto(address === undefined ? `${url}/account/sessions` : `${url}/dashboard/${tenant}${address}`)
      expect([...(await weights()).values()].reduce((sum, each) => sum + each, 0)).toBeLessThan(MOST_BYTES)
      expect([...origins]).toEqual([new URL(url).origin])
      expect([address, complaints, await accessibilityProblems(inside)]).toEqual([address, [], []])
      await inside.setViewportSize({ width: 320, height: 640 })
      expect([address, await inside.evaluate('document.documentElement.scrollWidth')]).toEqual([address, 320])
    }
  })

  it('when the founder places are gone, the page sells what follows, and says so before anybody pays', async () => {
    const { page } = await visit()
    await page.goto(`${url}/signup?plan=sq-founder`)
    const clone = cloneRepository(path.join(installation.home, 'tenants.git'))
    clone.edit('plans/sq-founder.yaml', (text) => text.replace(/slots: \d+/, 'slots: 1'))
    const revision = clone.push('one place only')
    await installation.takenIn(revision)
    // A form that was open before is told as well.
    await page.getByLabel('E-mail address').fill('late@example.com')
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill('late')
    await page.getByRole('button', { name: 'Start 14 days free' }).click()
    await page.getByText('founder places are taken').waitFor()
    expect(await page.getByRole('complementary').textContent()).toContain('$15')
    expect(await page.getByLabel('E-mail address').inputValue()).toBe('late@example.com')
    await page.goto(url)
    expect(await page.locator('.hero').textContent()).toContain('$15')
    await page.goto(`${url}/pricing`)
    expect(await page.getByRole('article').first().textContent()).toContain('Standard')
  })
})
