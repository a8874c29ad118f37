/** The rules that hold the structure are seen to refuse a planted violation, and to accept the same file without it. */
import path from 'node:path'
import { ESLint } from 'eslint'
import { expect, it } from 'vitest'

const ROOT = path.dirname(import.meta.dirname)
const eslint = new ESLint({ cwd: ROOT })

/** Rule names that a text would break if it stood in place of an existing file. */
async function broken(file: string, text: string): Promise<string[]> {
  const [result] = await eslint.lintText(text, { filePath: path.join(ROOT, file) })
  return result!.messages.map(({ ruleId, message }) => ruleId ?? message)
}

it.each([
  ['a package', "import { parse } from 'yaml'\nexport const read = parse\n"],
  ['a builtin', "import { createHash } from 'node:crypto'\nexport const hash = createHash\n"],
  ['an adapter', "import { openStore } from '../store/db.ts'\nexport const open = openStore\n"],
  ['an adapter by re-export', "export { openStore } from '../store/db.ts'\n"],
  ['an adapter by import()', "export const open = () => import('../store/db.ts')\n"],
])('core may not import %s', async (_what, text) => {
  expect(await broken('controller/core/backoff.ts', text)).toContain('layers/core-imports-core')
})

it('core may import core', async () => {
  expect(await broken('controller/core/backoff.ts', "import { isPast } from './keys.ts'\nexport const past = isPast\n")).toEqual([])
})

it.each([
  ['the global', 'export const home = process.env["HOME"]\n'],
  ['the module', "import { env } from 'node:process'\nexport const home = env\n"],
])('only an entry point touches process: %s', async (_what, text) => {
  const rules = await broken('controller/store/meta.ts', text)
  expect(rules.some((rule) => rule === 'no-restricted-globals' || rule === 'no-restricted-imports')).toBe(true)
  expect((await broken('controller/main.ts', text)).filter((rule) => rule.startsWith('no-restricted'))).toEqual([])
})

it('the production path may not import the sandbox, but the entry point may load it', async () => {
  expect(await broken('controller/payments.ts', "import { createStripeDouble } from '../sandbox/double.ts'\nexport const double = createStripeDouble\n")).toContain('layers/production-only')
  expect(await broken('controller/main.ts', "export const sandbox = () => import('../sandbox/start.ts')\n")).not.toContain('layers/production-only')
  expect(await broken('controller/main.ts', "import { startSandbox } from '../sandbox/start.ts'\nexport const sandbox = startSandbox\n")).toContain('layers/production-only')
})
