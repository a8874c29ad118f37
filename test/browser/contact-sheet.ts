/**
 * `npm run contact-sheet`: every page of the site as it is, on a desktop and a phone, light and dark, on one picture: docs/contact-sheet.jpg.
 * From a real program in the sandbox, with a purchase made on the way. Looks best with the font Inter installed (npm run setup).
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { createProgram } from '../bench/program.ts'
import { DESKTOP, launch, PHONE } from './chromium.ts'
import { sitePages, type SitePage } from './site-pages.ts'

const FILE = path.resolve(import.meta.dirname, '../../docs/contact-sheet.jpg')
/** How much of a page is shown. */
const SHOWN = { desktop: { ...DESKTOP, height: 860 }, phone: PHONE }
const SCHEMES = ['light', 'dark'] as const
const SHEET_WIDTH = 2240
const QUALITY = 55

interface Shot {
  readonly title: string
  /** In the order of the columns. */
  readonly pictures: readonly { readonly kind: 'desktop' | 'phone'; readonly png: Buffer }[]
}

const folder = mkdtempSync(path.join(tmpdir(), 'tenantry-contact-sheet-'))
const program = createProgram(path.join(folder, 'home'), {})
try {
  const { publicUrl } = await program.start()
  const browser = await launch()
  const shots: Shot[] = []
  for (const each of await sitePages(browser, { publicUrl, home: path.join(folder, 'home') })) {
    process.stderr.write(`${each.title}\n`)
    shots.push({ title: each.title, pictures: await picturesOf(browser, each) })
  }
  writeFileSync(FILE, await sheet(browser, shots))
  await browser.close()
  process.stdout.write(`${path.relative(process.cwd(), FILE)}: ${shots.length} pages\n`)
} finally {
  await program.end()
  rmSync(folder, { recursive: true, force: true })
}

async function picturesOf(browser: Browser, { open }: SitePage): Promise<Shot['pictures']> {
  const pictures: { kind: 'desktop' | 'phone'; png: Buffer }[] = []
  for (const kind of ['desktop', 'phone'] as const) {
    for (const colorScheme of SCHEMES) {
      const context = await browser.newContext({ viewport: SHOWN[kind], colorScheme, reducedMotion: 'reduce' })
      const page = await context.newPage()
      await open(page)
      await page.evaluate('document.fonts.ready.then(() => true)')
      pictures.push({ kind, png: await page.screenshot() })
      await context.close()
    }
  }
  return pictures
}

async function sheet(browser: Browser, shots: readonly Shot[]): Promise<Buffer> {
  const page: Page = await browser.newPage({ viewport: { width: SHEET_WIDTH, height: 1000 } })
  const figures = shots.map(({ title, pictures }) => `<figure><figcaption>${title}</figcaption><div>${pictures.map(({ kind, png }) => `<img class="${kind}" src="data:image/png;base64,${png.toString('base64')}">`).join('')}</div></figure>`)
  const style = 'body{margin:0;padding:24px;background:#6b7280;font:600 17px/1.4 Inter,system-ui,sans-serif;color:#fff;display:grid;grid-template-columns:1fr 1fr;gap:24px}figure{margin:0}figcaption{margin-bottom:8px}div{display:flex;gap:8px}img{display:block;border-radius:6px}.desktop{width:378px}.phone{width:147px;height:318px;object-fit:cover;object-position:top}.desktop{height:254px}'
  await page.setContent(`<!doctype html><meta charset="utf-8"><style>${style}</style>${figures.join('')}`)
  return page.screenshot({ fullPage: true, type: 'jpeg', quality: QUALITY })
}
