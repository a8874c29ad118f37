/** `tenantry doctor`: checks what this installation needs and what stands open, with what to do about each. */
import { statSync } from 'node:fs'
import path from 'node:path'
import { connectEngine } from '../runtime/docker/engine.ts'
import { createDockerRuntime } from '../runtime/docker/runtime.ts'
import { listProcesses, sqOf } from '../runtime/process/process-table.ts'
import { findSq } from '../sq/find-sq.ts'
import { openToOthers } from '../sq/exposure.ts'
import { loadRevision, problemsOf } from '../specs/load.ts'
import { EXIT, settingsOf, table, type Answer, type CliContext } from './context.ts'
import { openRepository, resolveRevision } from './git-at.ts'
import { readRunFile } from './run-file.ts'

interface Check {
  readonly name: string
  readonly result: 'ok' | 'warn' | 'fail'
  readonly found: string
  readonly fix: string
}

export async function doctor(context: CliContext): Promise<Answer> {
  const checks = await Promise.all([checkNode(context), checkSecrets(context), checkRepository(context), checkEngine(context), checkSq(context), checkExposure(context), checkController(context)])
  const rows = checks.map(({ name, result, found, fix }) => [result, name, found, fix])
  return { json: { checks }, text: `${table([['', 'CHECK', 'FOUND', 'WHAT TO DO'], ...rows])}\n`, exitCode: checks.some(({ result }) => result === 'fail') ? EXIT.failed : EXIT.done }
}

const ok = (name: string, found: string): Check => ({ name, result: 'ok', found, fix: '' })

async function checkNode({ machine }: CliContext): Promise<Check> {
  return Promise.resolve(ok('node', machine.node))
}

async function checkSecrets(context: CliContext): Promise<Check> {
  const { home } = settingsOf(context)
  const open = ['master.key', 'admin-token', 'store.db'].filter((name) => {
    const stat = statSync(path.join(home, name), { throwIfNoEntry: false })
    return stat !== undefined && (stat.mode & 0o077) !== 0
  })
  if (open.length === 0) return Promise.resolve(ok('secrets', `${home}: only its owner can read them`))
  return Promise.resolve({ name: 'secrets', result: 'fail', found: `others can read ${open.join(', ')}`, fix: `chmod 600 ${open.map((name) => path.join(home, name)).join(' ')}` })
}

async function checkRepository(context: CliContext): Promise<Check> {
  try {
    const repository = await openRepository(context, undefined)
    try {
      const loaded = await loadRevision(repository, await resolveRevision(repository, undefined))
      const problems = await problemsOf(loaded)
      const found = `${loaded.catalog.fileCount} files, ${problems.length} problems`
      return problems.length === 0 ? ok('repository', found) : { name: 'repository', result: 'warn', found, fix: 'tenantry validate' }
    } finally {
      await repository.close()
    }
  } catch (error) {
    return { name: 'repository', result: 'fail', found: (error as Error).message, fix: 'Check TENANTRY_REPOSITORY and TENANTRY_BRANCH; `npm start` makes one on a first run.' }
  }
}

async function checkEngine(context: CliContext): Promise<Check> {
  const { dockerHost } = settingsOf(context)
  const runtime = createDockerRuntime({ docker: connectEngine(dockerHost), installation: 'doctor', now: context.now, log: { info: () => undefined, warn: () => undefined } })
  const engine = await runtime.availability()
  return engine.kind === 'available' ? ok('containers', `Docker ${engine.version}`) : { name: 'containers', result: 'warn', found: engine.reason, fix: engine.fix }
}

async function checkSq(context: CliContext): Promise<Check> {
  try {
    const { description } = await findSq(settingsOf(context).sqBin, context.machine.environment, context.programFolder, context.machine.node)
    return ok('sq', description)
  } catch (error) {
    return { name: 'sq', result: 'fail', found: (error as Error).message, fix: 'Set SQ_BIN.' }
  }
}

/** SQ takes requests from whoever reaches it; only the gateway should. */
async function checkExposure(context: CliContext): Promise<Check> {
  const { home } = settingsOf(context)
  const ports = (await listProcesses()).flatMap((process) => {
    const sq = sqOf(process)
    return sq?.config.startsWith(`${home}/sq/`) ? [sq.port] : []
  })
  const open = await openToOthers(ports)
  if (open === undefined) return { name: 'exposure', result: 'warn', found: 'this system does not say which ports others reach', fix: 'Check with the firewall that only the gateway reaches SQ.' }
  if (open.length === 0) return ok('exposure', ports.length === 0 ? 'no SQ process runs' : `SQ on ${ports.join(', ')}: this machine only`)
  return { name: 'exposure', result: 'warn', found: `SQ listens on every address on port ${open.join(', ')}`, fix: 'Close these ports in the firewall, or set engine: docker in products/sq.yaml, which publishes on 127.0.0.1 only.' }
}

async function checkController(context: CliContext): Promise<Check> {
  const run = readRunFile(settingsOf(context).home)
  const answers = run !== undefined && (await fetch(`${run.adminUrl}/readyz`).then((answer) => answer.status, () => 0)) === 200
  return answers ? ok('controller', `ready, ${run.publicUrl}`) : { name: 'controller', result: 'warn', found: 'not running or not ready', fix: 'npm start' }
}
