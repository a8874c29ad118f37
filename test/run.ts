/**
 * `npm test`: lint, types, then every test that this machine can run, and at the end what could not run and how to install it.
 * With TENANTRY_TEST_REQUIRE=all a missing part is a failure. The last line is `N passed, N failed, N skipped`.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { has, INSTALL, type Part } from './support/parts.ts'

const ROOT = path.dirname(import.meta.dirname)
const bin = (name: string): string => path.join(ROOT, 'node_modules/.bin', name)

interface Counts {
  passed: number
  failed: number
  skipped: number
}

const missing = (Object.keys(INSTALL) as Part[]).filter((part) => !has(part))
const required = process.env['TENANTRY_TEST_REQUIRE'] === 'all'

const counts: Counts = { passed: 0, failed: 0, skipped: 0 }
for (const [name, ...command] of [
  ['lint', bin('eslint'), '.', '--max-warnings', '0'],
  ['types', bin('tsc'), '--noEmit'],
] as [string, string, ...string[]][]) {
  process.stdout.write(`${name} … `)
  const { code, output } = await run(command, 'capture')
  process.stdout.write(code === 0 ? 'ok\n' : `failed\n${output}\n`)
  counts[code === 0 ? 'passed' : 'failed']++
}
add(counts, await vitest(process.argv.slice(2)))

for (const part of missing) {
  process.stdout.write(`${required ? 'MISSING' : 'not run'}: tests that need ${part}. To install it: ${INSTALL[part]}\n`)
  if (required) counts.failed++
}
process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`)
process.exitCode = counts.failed > 0 ? 1 : 0

async function vitest(args: string[]): Promise<Counts> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tenantry-test-'))
  const file = path.join(folder, 'results.json')
  try {
    const { code } = await run([bin('vitest'), 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`, ...args], 'show')
    const results = JSON.parse(readFileSync(file, 'utf8')) as { numPassedTests: number; numFailedTests: number; numPendingTests: number; numTodoTests: number }
    const failed = results.numFailedTests + (code !== 0 && results.numFailedTests === 0 ? 1 : 0)
    return { passed: results.numPassedTests, failed, skipped: results.numPendingTests + results.numTodoTests }
  } catch (error) {
    process.stdout.write(`the tests could not be run: ${String(error)}\n`)
    return { passed: 0, failed: 1, skipped: 0 }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function run([program, ...args]: string[], output: 'capture' | 'show'): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program!, args, { cwd: ROOT, stdio: output === 'show' ? 'inherit' : ['ignore', 'pipe', 'pipe'] })
    let text = ''
    child.stdout?.on('data', (part: Buffer) => (text += part.toString()))
    child.stderr?.on('data', (part: Buffer) => (text += part.toString()))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? 1, output: text }))
  })
}

function add(total: Counts, more: Counts): void {
  total.passed += more.passed
  total.failed += more.failed
  total.skipped += more.skipped
}
