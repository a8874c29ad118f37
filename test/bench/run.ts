/**
 * `npm run bench [-- NAME …] [--short]`: runs the benches one after another, shows a table, and writes bench/results/latest.json.
 * The figures of benches that were not run stay there, each with its revision and date. Ends with 1 where a bar is missed, except in
 * the short form (also by TENANTRY_BENCH_SHORT=1), whose figures mean little.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { findProgram, has } from '../support/parts.ts'
import { table, type Bench, type BenchResult } from './result.ts'

const RESULTS = path.resolve(import.meta.dirname, '../../bench/results')

/** By name; loaded when they run, so that one that needs a missing part stands in nobody's way. */
const BENCHES: Readonly<Record<string, { readonly needs?: readonly string[]; readonly load: () => Promise<{ bench: Bench }> }>> = {
  purchases: { load: () => import('./purchases.ts') },
  scale: { load: () => import('./scale.ts') },
  gateway: { needs: ['sq', 'nginx', 'caddy', 'wrk'], load: () => import('./gateway.ts') },
  site: { load: () => import('./site.ts') },
  'docker-start': { needs: ['docker'], load: () => import('./docker-start.ts') },
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { short: { type: 'boolean', default: false } } })
const short = values.short || process.env['TENANTRY_BENCH_SHORT'] === '1'
const unknown = positionals.filter((name) => !(name in BENCHES))
if (unknown.length > 0) throw new Error(`There is no bench ${unknown.join(', ')}. There are ${Object.keys(BENCHES).join(', ')}.`)

/** A figure as it is kept: with what it was measured on. */
interface Kept extends BenchResult {
  readonly bench: string
  readonly date: string
  readonly revision: string
}

const date = new Date().toISOString()
const revision = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: import.meta.dirname, encoding: 'utf8' }).trim()
const isMissing = (part: string): boolean => (part === 'docker' ? !has('docker') : findProgram(part) === undefined)
const results: Kept[] = []
const failures: string[] = []
for (const [name, { needs = [], load }] of Object.entries(BENCHES)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue
  const missing = needs.filter(isMissing)
  if (missing.length > 0) {
    process.stderr.write(`${name}: left out, there is no ${missing.join(', no ')}: npm run setup installs it\n`)
    continue
  }
  process.stderr.write(`${name} …\n`)
  try {
    const { bench } = await load()
    for (const result of await bench({ short })) results.push({ bench: name, ...result, date, revision })
  } catch (error) {
    failures.push(name)
    process.stderr.write(`${name} failed: ${error instanceof Error ? error.stack : String(error)}\n`)
  }
}

const machine = {
  date,
  revision,
  node: process.version,
  git: execFileSync('git', ['--version'], { encoding: 'utf8' }).trim(),
  sq: findProgram('sq') === undefined ? 'bundled' : 'real',
  cores: availableParallelism(),
  processor: cpus()[0]?.model ?? 'unknown',
  memoryMb: Math.round(totalmem() / 1024 / 1024),
  load: loadavg().map((value) => Number(value.toFixed(2))),
  short,
}
mkdirSync(RESULTS, { recursive: true })
const file = path.join(RESULTS, short ? 'short.json' : 'latest.json')
writeFileSync(file, `${JSON.stringify({ machine, failures, results: [...results, ...notRun(file)] }, null, 2)}\n`)
process.stdout.write(`${table(results)}\n\n${machine.cores} cores, Node ${machine.node}, ${machine.sq} SQ, load ${machine.load.join(' ')}; written to ${path.relative(process.cwd(), file)}\n`)
process.exitCode = failures.length > 0 || (!short && results.some(({ met }) => met === false)) ? 1 : 0

/** What stands in the file of benches that have no figures now. */
function notRun(file: string): Kept[] {
  if (!existsSync(file)) return []
  const before = JSON.parse(readFileSync(file, 'utf8')) as { machine: { date: string; revision: string }; results: (BenchResult & { bench: string } & Partial<Kept>)[] }
  const run = new Set(results.map(({ bench }) => bench))
  return before.results.filter(({ bench }) => bench in BENCHES && !run.has(bench)).map((result) => ({ date: before.machine.date, revision: before.machine.revision, ...result }))
}
