/** Every page that people see, with what it takes to stand before it. Pages that need a purchase share one, made through the site itself. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { simpleParser } from 'mailparser'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { waitFor } from '../support/wait.ts'

export interface SitePage {
  readonly title: string
  open(page: Page): Promise<void>
}

export interface Place {
  readonly publicUrl: string
  /** Where the installation's mail goes to in the sandbox. */
  readonly home: string
}

export const BUYER = 'lovelace'
/** Pages of a signed-in owner, under `/dashboard/TENANT`. */
export const DASHBOARD = [
  ['overview', ''],
  ['keys', '/keys'],
  ['connect', '/connect'],
  ['usage', '/usage'],
  ['billing', '/billing'],
  ['history', '/history'],
  ['account', '/account'],
  ['refusals', '/refusals'],
] as const

export async function sitePages(browser: Browser, place: Place): Promise<SitePage[]> {
  const at = (title: string, address: string, then?: (page: Page) => Promise<unknown>): SitePage => ({
    title,
    async open(page) {
      await page.goto(address.startsWith('http') ? address : `${place.publicUrl}${address}`)
      await then?.(page)
    },
  })
  const { welcome, pay, tenant, began } = await buy(browser, place)
  const cookies = await signIn(browser, place)
  const inside = (title: string, address: string): SitePage => ({
    title,
    async open(page) {
      await page.context().addCookies(cookies)
      await page.goto(`${place.publicUrl}${address}`)
    },
  })
  return [
    at('SQ Cloud', '/'),
    at('What you get', '/', (page) => page.locator('#points-title').evaluate((element) => (element as unknown as { scrollIntoView(): void }).scrollIntoView())),
    at('SQ Cloud Dedicated', '/products/sq-dedicated'),
    at('Spoq Cloud', '/products/spoq'),
    at('ContextLite Cloud', '/products/contextlite'),
    at('Pricing', '/pricing'),
    at('Pricing, ContextLite', '/products/contextlite/pricing'),
    at('Sign up', '/signup'),
    at('Sign up, refused', '/signup?plan=sq-founder', async (page) => {
      await page.getByLabel('E-mail address').fill('ada@example.com')
      await page.getByRole('textbox', { name: 'Name', exact: true }).fill('ada')
      await page.getByRole('button', { name: /days free/ }).click()
      await page.locator('#username-error').waitFor()
    }),
    at('Back from a cancelled checkout', '/signup?plan=sq-founder&interval=year&cancelled='),
    at('Payment page of the sandbox', pay),
    at('Welcome: waiting', '/welcome?session=cs_test_0000000000000000'),
    {
      title: 'Welcome: running',
      async open(page) {
        await page.context().addCookies(began)
        await page.goto(welcome)
        await page.getByRole('heading', { name: 'Your instance is running' }).waitFor()
      },
    },
    at('Welcome: running, in another browser', welcome, (page) => page.getByRole('heading', { name: 'The instance is running' }).waitFor()),
    at('Guide', '/guide'),
    at('Founders', '/founders'),
    at('Support', '/support'),
    at('Status', '/status'),
    at('No such page', '/nowhere'),
    at('Sign in', '/auth/sign-in'),
    at('Choose a password', '/auth/register'),
    ...DASHBOARD.map(([title, address]) => inside(`Dashboard: ${title}`, `/dashboard/${tenant}${address}`)),
    inside('Sessions', '/account/sessions'),
  ]
}

type Cookies = Awaited<ReturnType<BrowserContext['cookies']>>

/** Two purchases begun, one of them paid. */
async function buy(browser: Browser, { publicUrl }: Place): Promise<{ readonly welcome: string; readonly pay: string; readonly tenant: string; readonly began: Cookies }> {
  const page = await browser.newPage()
  const begin = async (username: string): Promise<string> => {
    await page.goto(`${publicUrl}/signup`)
    await page.getByLabel('E-mail address').fill(`${username}@example.com`)
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill(username)
    await page.getByRole('button', { name: /days free/ }).click()
    await page.waitForURL(/\/pay\//)
    return page.url()
  }
  const pay = await begin('hesitant')
  await begin(BUYER)
  await page.getByRole('button', { name: 'Start the trial' }).click()
  await page.getByRole('heading', { name: 'Your instance is running' }).waitFor()
  const welcome = page.url()
  const tenant = (await page.locator('#tenant').textContent())!
  const began = await page.context().cookies()
  await page.close()
  return { welcome, pay, tenant, began }
}

/** By the link that comes by mail. */
export async function signIn(browser: Browser, { publicUrl, home }: Place): ReturnType<BrowserContext['cookies']> {
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(`${publicUrl}/auth/sign-in`)
  await page.getByLabel('E-mail address').fill(`${BUYER}@example.com`)
  await page.getByRole('button', { name: 'Mail me a sign-in link' }).click()
  await page.goto(await waitFor(() => linkFrom(path.join(home, 'mail')), 'the mail with the link'))
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.waitForURL(/\/dashboard/)
  const cookies = await context.cookies()
  await context.close()
  return cookies
}

async function linkFrom(folder: string): Promise<string | undefined> {
  for (const name of readdirSync(folder)) {
    const { text = '' } = await simpleParser(readFileSync(path.join(folder, name)))
    const link = /https?:\/\/\S+\/auth\/link\?\S+/.exec(text)
    if (link !== null) return link[0]
  }
  return undefined
}
