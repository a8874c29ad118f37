/** `tenantry up`: the whole system in the foreground. Makes what it needs on a first run, says what it does, then what to try. */
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { pino } from 'pino'
import { startController, type Controller } from '../controller.ts'
import { gatewayVersion } from '../gateway/version.ts'
import { createBareRepository } from '../git/bare-repository.ts'
import { createStripeClient } from '../../hooks/stripe/client.ts'
import { endpointFault } from '../../hooks/stripe/endpoint-check.ts'
import { installPostReceive } from '../../hooks/git/install-post-receive.ts'
import { openInstallation, type Installation } from '../installation.ts'
import type { Settings } from '../settings.ts'
import { findSq, type SqProgram } from '../sq/find-sq.ts'
import type { StripeConnection } from '../stripe-connection.ts'
import { settingsOf, type CliContext, type ExitCode, EXIT } from './context.ts'
import { removeRunFile, runFilePath, type RunFile } from './run-file.ts'
import { sampleFiles } from './sample.ts'

/** The sandbox's double of Stripe, loaded by the entry point alone. */
export interface Sandbox {
  readonly connection: StripeConnection
  readonly url: string
  close(): Promise<void>
}

export type StartSandbox = (options: { readonly installation: Installation; readonly webhookUrl: () => string; readonly now: () => Date }) => Promise<Sandbox>

const DRAIN_WITHIN_MS = 9_000
const RETRY_SAID_MS = 1_000

export async function up(context: CliContext, startSandbox: StartSandbox): Promise<ExitCode> {
  const settings = settingsOf(context)
  const say = progress(context)
  // Before anything is made in it: the tenant repository holds customers' addresses, and git leaves its files open to all.
  mkdirSync(settings.home, { recursive: true, mode: 0o700 })
  await makeRepository(context, settings, say)
  await installHook(context, settings, say)
  const log = pino({ level: settings.logLevel, base: null, redact: ['*.key', '*.secret', '*.token', '*.authorization', 'headers'] }, logDestination(context, settings))
  const sq = await findSq(settings.sqBin, context.machine.environment, context.programFolder, context.machine.node)
  say(sq.description)
  const late: { controller?: Controller } = {}
  const installation = await openInstallation(settings, {
    environment: context.machine.environment,
    now: context.now,
    onCommit: () => late.controller?.poke(),
    onProgress: (read, total) => say(`reading specs: ${read} of ${total}`),
    onBackgroundError: (err) => log.warn({ err }, 'background work of git failed'),
    onStandingIgnored: (reason, err) => log.info({ reason, err }, 'standing tenants are not used: everything is read'),
  })
  let publicUrl = ''
  const sandbox = settings.stripe.kind === 'sandbox' ? await startSandbox({ installation, webhookUrl: () => `${publicUrl}/api/stripe/webhook`, now: context.now }) : undefined
  const controller = (late.controller = await startController({
    installation,
    machine: context.machine,
    log,
    sqCommand: sq.command,
    gatewayCommand: [context.machine.node, path.join(context.programFolder, 'controller/gateway/main.ts')],
    gatewayVersion: await gatewayVersion(),
    stripe: sandbox?.connection ?? accountOf(settings),
  }))
  void warnOfEndpoint(settings, say)
  publicUrl = `http://127.0.0.1:${controller.gateway.port}`
  const run = writeRunFile(context, settings, controller, publicUrl, sandbox?.url)
  const signalled = new Promise<'SIGINT' | 'SIGTERM'>((resolve) => context.onSignal(resolve))
  await Promise.race([announce(context, settings, controller, run, sq, say), signalled])
  const signal = await signalled
  return stop(context, signal, { controller, sandbox, installation, settings })
}

/** SIGTERM, from a service manager: the controller alone ends, customers are served on. Ctrl-C, from a person: all of it ends. */
async function stop(context: CliContext, signal: 'SIGINT' | 'SIGTERM', parts: { controller: Controller; sandbox: Sandbox | undefined; installation: Installation; settings: Settings }): Promise<ExitCode> {
  const { controller, sandbox, installation, settings } = parts
  context.writeError(signal === 'SIGINT' ? 'stopping everything (SIGTERM would leave the gateway and SQ running) …\n' : 'stopping the controller; the gateway and SQ go on …\n')
  const end = async (): Promise<void> => {
    await controller.drain()
    if (signal === 'SIGINT') await controller.stopDataPath()
    await sandbox?.close()
    removeRunFile(settings.home)
    await installation.close()
  }
  const limit = new Promise<'late'>((resolve) => setTimeout(() => resolve('late'), DRAIN_WITHIN_MS).unref())
  if ((await Promise.race([end(), limit])) === 'late') context.writeError('what still ran is left to the next start\n')
  return EXIT.done
}

async function makeRepository(context: CliContext, settings: Settings, say: (line: string) => void): Promise<void> {
  if (settings.repository !== path.join(settings.home, 'tenants.git') || existsSync(path.join(settings.repository, 'HEAD'))) return
  say(`making a tenant repository from the sample: ${settings.repository}`)
  await createBareRepository({ folder: settings.repository, branch: settings.branch, files: sampleFiles(context), message: 'sample: a first tenant repository', environment: context.machine.environment, now: context.now })
}

/** Pushes poke the controller. The file watch sees them too, where there is one; a repository elsewhere is asked by the timer. */
async function installHook(context: CliContext, settings: Settings, say: (line: string) => void): Promise<void> {
  if (!existsSync(path.join(settings.repository, 'HEAD'))) return
  const outcome = await installPostReceive({ repository: settings.repository, runFile: runFilePath(settings.home), node: context.machine.node })
  if (outcome.kind === 'foreign') say(`${outcome.file} is not Tenantry's and was left as it is; pushes are seen by the file watch`)
}

/** Until the repository was taken in once; what stands in the way is said when it changes. */
async function firstLook({ loop }: Controller, say: (line: string) => void): Promise<void> {
  for (let said: string | undefined; ; ) {
    await loop.settle()
    const { ready, lastError } = loop.state
    if (ready) return
    if (lastError !== said) say(`the repository cannot be taken in yet: ${lastError}`)
    said = lastError
    await new Promise((resolve) => setTimeout(resolve, RETRY_SAID_MS))
  }
}

function accountOf({ stripe }: Settings): StripeConnection {
  if (stripe.kind !== 'account' || stripe.webhookSecret === undefined) throw new Error('there is neither a Stripe account nor a sandbox')
  return { ...stripe, kind: 'account', webhookSecret: stripe.webhookSecret }
}

/** Beside the start, which waits for nobody: what the account's webhook endpoint lacks is said when Stripe has answered. */
async function warnOfEndpoint({ stripe, publicUrl }: Settings, say: (line: string) => void): Promise<void> {
  if (stripe.kind !== 'account' || publicUrl === undefined) return
  const { secretKey, apiBase } = stripe
  const fault = await endpointFault(createStripeClient({ secretKey, ...(apiBase !== undefined && { apiBase }) }), publicUrl)
  if (fault !== undefined) say(`warning: ${fault}`)
}

function progress(context: CliContext): (line: string) => void {
  return (line) => context.writeError(`tenantry: ${line}\n`)
}

/** For a person at a terminal the log goes to a file and the terminal shows progress; elsewhere it is JSON on standard output. */
function logDestination(context: CliContext, settings: Settings): ReturnType<typeof pino.destination> {
  if (!context.isTerminal) return pino.destination({ dest: 1, sync: false })
  const dest = path.join(settings.home, 'tenantry.log')
  context.writeError(`tenantry: log: ${dest}\n`)
  return pino.destination({ dest, mkdir: true, sync: false })
}

function writeRunFile(context: CliContext, settings: Settings, controller: Controller, localUrl: string, sandboxUrl: string | undefined): RunFile {
  const adminUrl = controller.adminUrl
  const run: RunFile = {
    pid: context.machine.pid,
    publicUrl: settings.publicUrl ?? `http://localhost:${controller.gateway.port}`,
    localUrl,
    adminUrl,
    port: controller.gateway.port,
    adminPort: Number(new URL(adminUrl).port),
    ...(sandboxUrl !== undefined && { sandboxUrl }),
  }
  writeFileSync(runFilePath(settings.home), `${JSON.stringify(run, null, 2)}\n`, { mode: 0o600 })
  chmodSync(runFilePath(settings.home), 0o600)
  return run
}

async function announce(context: CliContext, settings: Settings, controller: Controller, run: RunFile, sq: SqProgram, say: (line: string) => void): Promise<void> {
  say('bringing tenants into force …')
  await firstLook(controller, say)
  const engine = await controller.runtime.availability()
  say(engine.kind === 'available' ? `container engine: Docker ${engine.version}` : `no container engine: ${engine.reason}. Products that need one wait. ${engine.fix}`)
  if (sq.warning !== undefined) say(`warning: ${sq.warning}`)
  const { tenants } = controller.overview()
  say(`${tenants.ready} of ${tenants.total - tenants.retained} tenants are served; \`npx tenantry status\` says why others are not`)
  const sandbox = run.sandboxUrl === undefined ? [] : ['  npx tenantry buy --plan sq-founder --email ada@example.com --username lovelace', '                                            buy in the sandbox: answers with the key', ...(settings.mail.kind === 'files' ? [`  ${run.sandboxUrl}/mail`, '                                            the mail that customers get'] : [])]
  context.writeError(
    [
      '',
      `Tenantry is up.   public ${run.publicUrl}   operations ${run.adminUrl}/metrics`,
      '',
      'Try:',
      ...sandbox,
      `  curl -H "Authorization: Bearer KEY" -d "hello" "${run.publicUrl}/api/v2/update?p=notes&c=1.1.1/1.1.1/1.1.1"`,
      '                                            store something',
      `  curl -H "Authorization: Bearer KEY" "${run.publicUrl}/api/v2/select?p=notes&c=1.1.1/1.1.1/1.1.1"`,
      '                                            fetch it',
      `  git clone ${settings.repository} /tmp/tenants   change limits.storageMb of a tenant, commit, push: it is applied as you look`,
      '  npx tenantry status                       what runs, what waits, and why',
      '',
      'Ctrl-C stops everything.',
      '',
    ].join('\n'),
  )
}
