/** The page at `/guide`: from a key to a memory that outlasts the agent. Plain HTML, no script, no outside request; it prints and reads aloud. */
import { guideExamples, KEY_PLACEHOLDER, type GuideExample } from './guide-examples.ts'
import { escapeHtml } from './html.ts'

export function guidePage(endpoint: string): string {
  const examples = guideExamples(endpoint)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="Persistent memory for AI agents with curl, Python, TypeScript, OpenClaw and MCP.">
<title>Give your agents persistent memory in 5 minutes</title>
<style>${STYLE}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the guide</a>
<header><a href="/">Tenantry</a></header>
<main id="main">
<h1>Give your agents persistent memory in 5 minutes</h1>
<p class="lead">An agent forgets when its conversation ends. With a key and an address it remembers: decisions and their reasons, what people prefer, where it stopped.</p>
<dl class="need">
<div><dt>Your address</dt><dd><code>${escapeHtml(endpoint)}</code></dd></div>
<div><dt>Your key</dt><dd>begins with <code>pmb-v1-</code>. Put it wherever <code>${KEY_PLACEHOLDER}</code> stands.</dd></div>
</dl>
<nav aria-label="Ways to connect"><ul>${examples.map(({ id, title }) => `<li><a href="#${id}">${escapeHtml(title.replace(/^With (a )?/, ''))}</a></li>`).join('')}<li><a href="#good-to-know">Good to know</a></li></ul></nav>
${examples.map(section).join('\n')}
${goodToKnow(endpoint)}
</main>
<footer><p>Keep the key out of prompts, repositories and logs. Whoever has it reads and writes this memory.</p></footer>
</body>
</html>
`
}

function section({ id, title, language, before, code, after }: GuideExample): string {
  return `<section aria-labelledby="${id}">
<h2 id="${id}">${escapeHtml(title)}</h2>
<p>${escapeHtml(before)}</p>
<figure><figcaption>${escapeHtml(language)}</figcaption>
<pre tabindex="0" role="region" aria-label="${escapeHtml(`${title}: code`)}"><code data-example="${id}">${escapeHtml(code)}</code></pre></figure>${after === undefined ? '' : `\n<p>${escapeHtml(after)}</p>`}
</section>`
}

function goodToKnow(endpoint: string): string {
  const url = escapeHtml(endpoint)
  return `<section aria-labelledby="good-to-know">
<h2 id="good-to-know">Good to know</h2>
<ul>
<li><strong>Names</strong> are exact and case-sensitive, up to 512 bytes: <code>project/decisions/database</code>. Nine numbers, such as <code>1.1.1/1.1.1/1.1.2</code>, are SQ’s own coordinates.</li>
<li><strong>Spaces.</strong> The parameter <code>p</code> names a phext, a memory of its own: one for each project or person.</li>
<li><strong>Limits.</strong> <code>GET ${url}/api/usage</code> says what is used and what is left. When something is refused, the answer says why, and when to try again.</li>
<li><strong>Your data is yours.</strong> <code>GET ${url}/api/v2/export</code> gives everything as a tar file with checksums; <code>POST ${url}/api/v2/import</code> takes it into another account.</li>
</ul>
</section>`
}

const STYLE = `
:root{color-scheme:light dark;--ink:#1d2433;--soft:#56607a;--paper:#fff;--panel:#f4f6fa;--line:#d9deea;--accent:#2a4fc4}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9f2;--soft:#a3acc4;--paper:#12151d;--panel:#1b202c;--line:#333b4e;--accent:#9db4ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:1.0625rem/1.6 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header,main,footer{max-width:46rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:1.5rem;font-weight:600}
a{color:var(--accent);text-underline-offset:.2em}
a:focus-visible,pre:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.skip{position:absolute;left:-100vw}
.skip:focus{left:1rem;top:1rem;background:var(--paper);padding:.5rem 1rem}
h1{font-size:clamp(1.8rem,5vw,2.5rem);line-height:1.15;letter-spacing:-.02em;margin:1.5rem 0 1rem;text-wrap:balance}
h2{font-size:1.4rem;line-height:1.25;margin:2.75rem 0 .5rem;padding-top:.5rem}
.lead{font-size:1.2rem;color:var(--soft);margin:0 0 1.5rem}
.need{margin:0;padding:1rem 1.25rem;background:var(--panel);border:1px solid var(--line);border-radius:.6rem}
.need div{display:grid;grid-template-columns:7.5rem 1fr}
@media (max-width:32rem){.need div{display:block}.need div+div{margin-top:.5rem}}
.need dt{color:var(--soft)}
.need dd{margin:0;overflow-wrap:anywhere}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;list-style:none;margin:1.25rem 0 0;padding:0}
figure{margin:1rem 0}
figcaption{font-size:.875rem;color:var(--soft);padding:.45rem 1rem;background:var(--panel);border:1px solid var(--line);border-bottom:0;border-radius:.6rem .6rem 0 0}
pre{margin:0;padding:1rem;overflow-x:auto;background:var(--panel);border:1px solid var(--line);border-radius:0 0 .6rem .6rem;font-size:.9rem;line-height:1.5;tab-size:2}
code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
p code,li code,dd code{font-size:.9em;background:var(--panel);padding:.1em .3em;border-radius:.25em;overflow-wrap:anywhere}
.need code{background:none;padding:0}
section li{margin:.5rem 0}
footer{margin-top:3rem;padding-bottom:3rem;color:var(--soft);font-size:.95rem;border-top:1px solid var(--line)}
@media print{nav,.skip{display:none}pre{white-space:pre-wrap}}
`
