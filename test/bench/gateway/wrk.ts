/** Load from `wrk` on loopback: requests from a file, one after another, over so many connections, and what came of them. */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { findProgram } from '../../support/parts.ts'

export interface LoadRequest {
  readonly method: 'GET' | 'POST'
  readonly target: string
  readonly key: string
  readonly body?: string
}

/** Requests on disk as wrk's script reads them. */
export interface RequestFile {
  readonly file: string
  readonly count: number
}

export interface Load {
  readonly port: number
  readonly requests: RequestFile
  readonly connections: number
  readonly seconds: number
  /** Where in the file to begin, so that the next load does not ask for the same again. */
  readonly from?: number
  /** Pause of each connection before its next request. */
  readonly thinkMs?: number
  /** The generator gets what others leave of the processor: it stands for other machines. */
  readonly yielding?: boolean
}

export interface LoadFigures {
  readonly perSecond: number
  readonly requests: number
  /** Answers of 400 and above. */
  readonly refused: number
  /** No connection, or no answer in two seconds. SQ closes after each answer, which wrk takes for errors of reading: those do not count. */
  readonly failed: number
  readonly p50Ms: number
  readonly p99Ms: number
}

const SCRIPT = `
local made, at = {}, 0
local think = 0

function init(args)
  for line in io.lines(args[1]) do
    local method, target, key, body = line:match('^(%S+) (%S+) (%S+) ?(.*)$')
    made[#made + 1] = wrk.format(method, target, { Host = '127.0.0.1', Authorization = 'Bearer ' .. key }, method == 'POST' and body or nil)
  end
  at = tonumber(args[2]) % #made
  think = tonumber(args[3])
end

function request()
  at = at % #made + 1
  return made[at]
end

DELAY

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('\\nFIGURES {"requests":%d,"durationUs":%d,"refused":%d,"failed":%d,"p50Us":%d,"p99Us":%d}\\n',
    summary.requests, summary.duration, errors.status, errors.connect + errors.timeout, latency:percentile(50), latency:percentile(99)))
end
`
const DELAY = 'function delay() return math.random(0, 2 * think) end'

export interface Wrk {
  write(name: string, requests: readonly LoadRequest[]): RequestFile
  run(load: Load): Promise<LoadFigures>
}

/** `folder`: for its scripts and requests. */
export function createWrk(folder: string): Wrk {
  const program = findProgram('wrk')
  if (program === undefined) throw new Error('There is no wrk: npm run setup installs it.')
  const script = path.join(folder, 'load.lua')
  const thinking = path.join(folder, 'thinking-load.lua')
  writeFileSync(script, SCRIPT.replace('DELAY', ''))
  writeFileSync(thinking, SCRIPT.replace('DELAY', DELAY))

  return {
    write(name, requests) {
      const file = path.join(folder, `${name}.requests`)
      writeFileSync(file, requests.map(({ method, target, key, body = '' }) => `${method} ${target} ${key} ${body}\n`).join(''))
      return { file, count: requests.length }
    },
    async run({ port, requests, connections, seconds, from = 0, thinkMs = 0, yielding = false }) {
      const options = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '2s', '-s', thinkMs > 0 ? thinking : script, `http://127.0.0.1:${port}/`]
      const command = [program, ...options, '--', requests.file, String(from), String(thinkMs)]
      const [file, ...args] = yielding ? ['nice', '-n', '19', ...command] : command
      const { stdout } = await promisify(execFile)(file!, args, { timeout: (seconds + 20) * 1000 })
      const figures = JSON.parse(/^FIGURES (.*)$/m.exec(stdout)![1]!) as { requests: number; durationUs: number; refused: number; failed: number; p50Us: number; p99Us: number }
      const { durationUs, p50Us, p99Us, ...counts } = figures
      // Who got no answer at all waited for all of the time.
      const ms = (us: number): number => (counts.requests === 0 ? durationUs : us) / 1000
      return { ...counts, perSecond: counts.requests / (durationUs / 1e6), p50Ms: ms(p50Us), p99Ms: ms(p99Us) }
    },
  }
}
