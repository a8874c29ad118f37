/** The page at `/guide`: from a key to a memory that outlasts the agent. It prints and reads aloud. */
import type { FastifyPluginAsync } from 'fastify'
import { html, type Html } from '../html.ts'
import { codeBlock, facts, simplePage } from './components.ts'
import { guideExamples, KEY_PLACEHOLDER, type GuideExample } from './guide-examples.ts'
import type { Pages } from './pages.ts'

const TITLE = 'Give your agents persistent memory in 5 minutes'
const LEAD = 'An agent forgets when its conversation ends. With a key and an address it remembers: decisions and their reasons, what people prefer, where it stopped.'

export function createGuideRoutes(pages: Pages, endpoint: () => string): FastifyPluginAsync {
  return async (app) => {
    app.get('/guide', (request, reply) => {
      const brand = pages.brand(request, pages.front(request))
      return pages.send(reply, { title: TITLE, description: 'Persistent memory for AI agents with curl, Python, TypeScript, OpenClaw and MCP.', brand, path: '/guide', main: guide(endpoint()) })
    })
  }
}

export function guide(endpoint: string): Html {
  const examples = guideExamples(endpoint)
  return simplePage('reading', TITLE, LEAD, html`<div class="stack-large">
<div class="card">${facts([
    ['Your address', html`<code>${endpoint}</code>`],
    ['Your key', html`begins with <code>pmb-v1-</code>. Put it wherever <code>${KEY_PLACEHOLDER}</code> stands.`],
  ])}</div>
<nav aria-label="Ways to connect" class="site-nav"><ul>${examples.map(({ id, title }) => html`<li><a href="#${id}">${title.replace(/^With (a )?/, '')}</a></li>`)}<li><a href="#good-to-know">Good to know</a></li></ul></nav>
${examples.map(section)}
${goodToKnow(endpoint)}
</div>`)
}

function section({ id, title, language, before, code, after }: GuideExample): Html {
  return html`<section class="stack" aria-labelledby="${id}">
<h2 id="${id}">${title}</h2>
<p>${before}</p>
${codeBlock({ id, title: language, code, example: id })}${after !== undefined && html`\n<p>${after}</p>`}
</section>`
}

function goodToKnow(url: string): Html {
  return html`<section class="stack" aria-labelledby="good-to-know">
<h2 id="good-to-know">Good to know</h2>
<ul>
<li><strong>Names</strong> are exact and case-sensitive, up to 512 bytes: <code>project/decisions/database</code>. Nine numbers, such as <code>1.1.1/1.1.1/1.1.2</code>, are SQ’s own coordinates.</li>
<li><strong>Spaces.</strong> The parameter <code>p</code> names a phext, a memory of its own: one for each project or person.</li>
<li><strong>Limits.</strong> <code>GET ${url}/api/usage</code> says what is used and what is left. When something is refused, the answer says why, and when to try again.</li>
<li><strong>Your data is yours.</strong> <code>GET ${url}/api/v2/export</code> gives everything as a tar file with checksums; <code>POST ${url}/api/v2/import</code> takes it into another account.</li>
<li><strong>Keep the key</strong> out of prompts, repositories and logs. Whoever has it reads and writes this memory.</li>
</ul>
</section>`
}
