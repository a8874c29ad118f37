/** Debian's Chromium, driven by playwright-core, and what a page did on the network as the browser itself saw it. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import { findProgram } from '../support/parts.ts'

export const DESKTOP = { width: 1280, height: 800 } as const
export const PHONE = { width: 375, height: 812 } as const

export function launch(): Promise<Browser> {
  // The sandbox of Chromium needs rights that root in a container does not have; nothing but our own pages is opened.
  return chromium.launch({ executablePath: findProgram('chromium')!, args: ['--no-sandbox'] })
}

export interface WatchedPage {
  readonly page: Page
  /** Bytes that came over the network since the last call, by address. */
  weights(): Promise<Map<string, number>>
  /** Origins that were asked for anything. */
  readonly origins: ReadonlySet<string>
  /** What the console complained about: errors of scripts, and what the security policy stopped. */
  readonly complaints: readonly string[]
}

export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: DESKTOP, ...options })
  const page = await context.newPage()
  const origins = new Set<string>()
  const complaints: string[] = []
  let sizes: Promise<readonly [string, number]>[] = []
  page.on('request', (request) => origins.add(new URL(request.url()).origin))
  page.on('requestfinished', (request) => sizes.push(request.sizes().then(({ responseBodySize, responseHeadersSize }) => [request.url(), responseBodySize + responseHeadersSize] as const)))
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(String(error)))
  return {
    page,
    origins,
    complaints,
    async weights() {
      const all = await Promise.all(sizes)
      sizes = []
      return new Map(all)
    },
  }
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface Violation {
  readonly id: string
  readonly impact: string | null
  readonly nodes: readonly { readonly target: readonly string[]; readonly failureSummary?: string }[]
}

/** Serious and critical problems that axe-core finds, one a line. */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  await page.evaluate(AXE)
  const violations = (await page.evaluate('axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations)')) as readonly Violation[]
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target.join(' ')} (${failureSummary ?? ''})`).join('; ')}`)
}
