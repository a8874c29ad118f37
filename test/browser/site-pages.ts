/** Every page that people see, with what it takes to stand before it. Pages that need a purchase share one, made through the site itself. */
import type { Browser, Page } from 'playwright-core'

export interface SitePage {
  readonly title: string
  open(page: Page): Promise<void>
}

export interface Place {
  readonly publicUrl: string
  readonly sandboxUrl: string
}

export async function sitePages(browser: Browser, place: Place): Promise<SitePage[]> {
  const at = (title: string, address: string, then?: (page: Page) => Promise<unknown>): SitePage => ({
    title,
    async open(page) {
      await page.goto(address.startsWith('http') ? address : `${place.publicUrl}${address}`)
      await then?.(page)
    },
  })
  const { welcome, pay } = await buy(browser, place)
  return [
    at('SQ Cloud', '/'),
    at('What you get', '/', (page) => page.locator('#points-title').evaluate('(element) => element.scrollIntoView()')),
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
    at('Welcome: running', welcome, (page) => page.getByRole('heading', { name: 'Your instance is running' }).waitFor()),
    at('Guide', '/guide'),
    at('Founders', '/founders'),
    at('Support', '/support'),
    at('Status', '/status'),
    at('No such page', '/nowhere'),
    at('Sign in', '/auth/sign-in'),
    at('Choose a password', '/auth/register'),
  ]
}

/** Two purchases begun, one of them paid. */
async function buy(browser: Browser, { publicUrl }: Place): Promise<{ readonly welcome: string; readonly pay: string }> {
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
  await begin('lovelace')
  await page.getByRole('button', { name: 'Start the trial' }).click()
  await page.getByRole('heading', { name: 'Your instance is running' }).waitFor()
  const welcome = page.url()
  await page.close()
  return { welcome, pay }
}
