/** The page at `/` until the site is built: what is sold here and how to try it. Plain HTML, no script, no outside request. */
import { escapeHtml } from './html.ts'

export interface FirstPage {
  readonly plans: readonly { readonly name: string; readonly title: string; readonly price: string; readonly left: string }[]
  readonly sandbox: boolean
}

export function firstPage({ plans, sandbox }: FirstPage): string {
  const rows = plans.map(({ name, title, price, left }) => `<tr><td><code>${escapeHtml(name)}</code></td><td>${escapeHtml(title)}</td><td>${escapeHtml(price)}</td><td>${escapeHtml(left)}</td></tr>`).join('')
  const hint = sandbox ? '<p>This installation runs in the sandbox: no money moves. Buy with <code>npx tenantry buy --plan sq-founder --email ada@example.com --username lovelace</code>.</p>' : ''
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Tenantry</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4rem .8rem .4rem 0;border-bottom:1px solid color-mix(in srgb,currentColor 20%,transparent)}code{font-size:.9em}</style></head>
<body><h1>Hosted instances, kept running</h1>
<table><thead><tr><th>Plan</th><th></th><th>Price</th><th>Left</th></tr></thead><tbody>${rows}</tbody></table>
${hint}<p><a href="/guide">Give your agents persistent memory in 5 minutes</a>: curl, Python, TypeScript, OpenClaw and MCP.</p>
<p>To start a purchase: <code>POST /api/checkout</code> with <code>{"plan","interval","email","username"}</code>.</p></body></html>
`
}
