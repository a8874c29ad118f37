/**
 * `npm run bench [-- NAME …] [--short]`: runs the benches one after another, shows a table, and writes bench/results/latest.json.
 * Ends with 1 where a bar is missed, except in the short form, whose figures mean little.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { findProgram, has } from '../support/parts.ts'
import { table, type Bench, type BenchResult } from './result.ts'

const RESULTS = path.resolve(import.meta.dirname, '../../bench/results')

/** By name; loaded when they run, so that one that needs a missing part stands in nobody's way. */
const BENCHES: Readonly<Record<string, { readonly needs?: 'docker'; readonly load: () => Promise<{ bench: Bench }> }>> = {
  purchases: { load: () => import('./purchases.ts') },
  scale: { load: () => import('./scale.ts') },
  'docker-start': { needs: 'docker', load: () => import('./docker-start.ts') },
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { short: { type: 'boolean', default: false } } })
const unknown = positionals.filter((name) => !(name in BENCHES))
if (unknown.length > 0) throw new Error(`There is no bench ${unknown.join(', ')}. There are ${Object.keys(BENCHES).join(', ')}.`)

const results: (BenchResult & { readonly bench: string })[] = []
const failures: string[] = []
for (const [name, { needs, load }] of Object.entries(BENCHES)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue
  if (needs !== undefined && !has(needs)) {
    process.stderr.write(`${name}: left out, there is no ${needs}\n`)
    continue
  }
  process.stderr.write(`${name} …\n`)
  try {
    const { bench } = await load()
    for (const result of await bench({ short: values.short })) results.push({ bench: name, ...result })
  } catch (error) {
    failures.push(name)
    process.stderr.write(`${name} failed: ${error instanceof Error ? error.stack : String(error)}\n`)
  }
}

const machine = {
  date: new Date().toISOString(),
  revision: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: import.meta.dirname, encoding: 'utf8' }).trim(),
  node: process.version,
  git: execFileSync('git', ['--version'], { encoding: 'utf8' }).trim(),
  sq: findProgram('sq') === undefined ? 'bundled' : 'real',
  cores: availableParallelism(),
  processor: cpus()[0]?.model ?? 'unknown',
  memoryMb: Math.round(totalmem() / 1024 / 1024),
  load: loadavg().map((value) => Number(value.toFixed(2))),
  short: values.short,
}
mkdirSync(RESULTS, { recursive: true })
const file = path.join(RESULTS, values.short ? 'short.json' : 'latest.json')
writeFileSync(file, `${JSON.stringify({ machine, failures, results }, null, 2)}\n`)
process.stdout.write(`${table(results)}\n\n${machine.cores} cores, Node ${machine.node}, ${machine.sq} SQ, load ${machine.load.join(' ')}; written to ${path.relative(process.cwd(), file)}\n`)
process.exitCode = failures.length > 0 || (!values.short && results.some(({ met }) => met === false)) ? 1 : 0
