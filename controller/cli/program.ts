/** The command line: names, options and help. What a command does is in the file named after it. */
import { Command, CommanderError, Option } from 'commander'
import { approve } from './approve.ts'
import { billingCheck, billingDone, type BillingCheckOptions } from './billing-check.ts'
import { billingExplain } from './billing-explain.ts'
import { billingSync, type BillingSyncOptions } from './billing-sync.ts'
import { buy, type BuyOptions } from './buy.ts'
import { end, resume, set, suspend } from './change.ts'
import { EXIT, UsageError, type Answer, type CliContext, type ExitCode } from './context.ts'
import { doctor } from './doctor.ts'
import { down } from './down.ts'
import { explain } from './explain.ts'
import { exportTenant } from './export.ts'
import { importTenants, type ImportOptions } from './import.ts'
import { init } from './init.ts'
import * as key from './key.ts'
import { plan, type PlanOptions } from './plan.ts'
import { status } from './status.ts'
import { up, type StartSandbox } from './up.ts'
import { validate } from './validate.ts'
import { SettingsError } from '../settings.ts'

interface Reason {
  reason?: string
}

/** Runs one command line; answers its exit code. */
export async function runProgram(context: CliContext, args: readonly string[], startSandbox: StartSandbox): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.done
  const program = new Command('tenantry').description('Hosted instances from a git repository: one tenant is one YAML file.').version(context.version, '-V, --version')
  program.option('--json', "the command's answer as JSON on standard output").exitOverride().configureOutput({ writeOut: context.writeOut, writeErr: context.writeError })
  program.showHelpAfterError('(add --help for what can be said)')
  const answer = (work: Promise<Answer>): Promise<void> =>
    work.then((result) => {
      exitCode = result.exitCode ?? EXIT.done
      context.writeOut(program.opts<{ json?: true }>().json ? `${JSON.stringify(result.json, null, 2)}\n` : result.text)
    })
  addRunning(program, context, answer, async () => {
    exitCode = await up(context, startSandbox)
  })
  addRepository(program, context, answer)
  addTenants(program, context, answer)
  addBilling(program, context, answer)
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    return failure(context, error)
  }
}

function failure(context: CliContext, error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.invalid
  context.writeError(`tenantry: ${error instanceof Error ? error.message : String(error)}\n`)
  return error instanceof UsageError || error instanceof SettingsError ? EXIT.invalid : EXIT.failed
}

type AnswerWith = (work: Promise<Answer>) => Promise<void>

function addRunning(program: Command, context: CliContext, answer: AnswerWith, runUp: () => Promise<void>): void {
  program.command('up').description('the whole system in the foreground: controller, gateway, site').action(runUp)
  program.command('down').description('end a running controller, its gateway and its SQ processes').action(() => answer(down(context)))
  program.command('doctor').description('check what this installation needs and what stands open').action(() => answer(doctor(context)))
  program
    .command('status')
    .description('what is in force, what waits and why, for one tenant or for all')
    .argument('[tenant]')
    .option('--watch', 'again every second, until interrupted')
    .action(async (tenant: string | undefined, { watch }: { watch?: true }) => {
      await answer(status(context, tenant))
      while (watch) {
        await new Promise((resolve) => setTimeout(resolve, 1000))
        await answer(status(context, tenant))
      }
    })
  program
    .command('buy')
    .description('sandbox only: a purchase through the real webhook path')
    .requiredOption('--plan <plan>', 'the plan, such as sq-founder')
    .requiredOption('--email <email>', "the buyer's address")
    .requiredOption('--username <name>', 'unique in the product')
    .addOption(new Option('--interval <interval>').choices(['month', 'year']).default('month'))
    .action((options: BuyOptions) => answer(buy(context, options)))
  program.command('explain').description('why a request was refused').argument('<id>', 'the requestId of the answer').action((id: string) => answer(explain(context, id)))
  program.command('version').description('the version').action(() => answer(Promise.resolve({ json: { version: context.version }, text: `${context.version}\n` })))
}

function addRepository(program: Command, context: CliContext, answer: AnswerWith): void {
  program.command('init').description('a new tenant repository from the sample').argument('<dir>').option('--production', 'with the settings for production: shared SQ in a container').option('--empty', 'without the example tenants').action((dir: string, options: { production?: true; empty?: true }) => answer(init(context, dir, options)))
  program.command('validate').description('every error of a tenant repository at once').argument('[dir]', 'a folder with the files, or a git repository; this installation’s without one').option('--rev <rev>', 'a revision of the git repository').action((dir: string | undefined, options: { rev?: string }) => answer(validate(context, dir, options)))
  program
    .command('plan')
    .description('what a revision would do; never changes anything')
    .option('--repository <dir>', 'a git repository; this installation’s without it')
    .option('--base <rev>', 'the revision in force; what the controller took in last without it')
    .option('--head <rev>', 'the revision to look at; the branch’s tip without it')
    .addOption(new Option('--format <format>').choices(['text', 'json', 'markdown']).default('text'))
    .option('--check', 'exit with 3 where there are changes, 4 where a person has to approve, 2 where files are invalid')
    .action((options: PlanOptions) => answer(plan(context, options)))
  program.command('approve').description('let the held removals of exactly this revision through').argument('<rev>').action((rev: string) => answer(approve(context, rev)))
}

function addTenants(program: Command, context: CliContext, answer: AnswerWith): void {
  const changing = (command: Command): Command => command.option('--reason <text>', 'why, for the commit message')
  changing(program.command('suspend').description('refuse requests, keep data').argument('<tenant>')).action((tenant: string, options: Reason) => answer(suspend(context, tenant, options)))
  changing(program.command('resume').description('serve again').argument('<tenant>')).action((tenant: string, options: Reason) => answer(resume(context, tenant, options)))
  changing(program.command('end').description('stop for good; data is kept for the retention period').argument('<tenant>')).action((tenant: string, options: Reason) => answer(end(context, tenant, options)))
  changing(program.command('set').description('change fields, such as limits.storageMb=5000').argument('<tenant>').argument('<field=value...>')).action((tenant: string, fields: string[], options: Reason) => answer(set(context, tenant, fields, options)))
  program
    .command('import')
    .description('customers of an existing SQ become tenants in one commit, keys and data kept')
    .argument('<file>', 'an `sq host --config` map, an `sq route` file, or a tenants.json')
    .option('--data-dir <dir>', 'where the customers’ folders lie, if not where the file says')
    .option('--plan <plan>', 'the plan for everybody; by each one’s tier without it')
    .option('--product <product>', 'where more than one has a shared SQ')
    .option('--dry-run', 'show what would be done; change nothing')
    .action((file: string, options: ImportOptions) => answer(importTenants(context, file, options)))
  program.command('export').description('everything that a tenant has stored, as a tar file with checksums').argument('<tenant>').option('--out <file>', 'TENANT.tar without it').action((tenant: string, options: { out?: string }) => answer(exportTenant(context, tenant, options)))
  const keys = program.command('key').description('keys; changes are commits')
  changing(keys.command('create').description('one more key, as narrow as it is said to be; prints it').argument('<tenant>'))
    .option('--name <text>', 'what its owner calls it')
    .option('--read-only', 'it reads and changes nothing')
    .option('--phext <names>', 'the only phexts that it opens, separated by commas')
    .option('--requests-per-second <number>', 'a rate of its own, within the account’s')
    .option('--requests <number>', 'how many requests it may make over its whole life')
    .option('--expires <when>', 'when it ends: a time in UTC, a day, or 30m, 12h, 7d, 2w from now')
    .option('--parent <key>', 'the key that it is made from: never more than that one, and gone with it')
    .action((tenant: string, options: key.CreateOptions) => answer(key.create(context, tenant, options)))
  keys.command('list').description('all keys of a tenant as a tree, masked').argument('<tenant>').action((tenant: string) => answer(key.list(context, tenant)))
  keys.command('show').description('print a whole key: the newest live one, or the one named').argument('<tenant>').argument('[key]').action((tenant: string, id: string | undefined) => answer(key.show(context, tenant, id)))
  changing(keys.command('rotate').description('a new key; the old ones go on for the overlap').argument('<tenant>').argument('[key]', 'only this one')).action((tenant: string, id: string | undefined, options: Reason) => answer(key.rotate(context, tenant, id, options)))
  changing(keys.command('revoke').description('a key and those made from it stop working within a second').argument('<tenant>').argument('<key>')).action((tenant: string, id: string, options: Reason) => answer(key.revoke(context, tenant, id, options)))
}

function addBilling(program: Command, context: CliContext, answer: AnswerWith): void {
  const billing = program.command('billing').description('what stands at Stripe, and how it agrees with the repository')
  billing
    .command('sync')
    .description('products, prices, portal and webhook endpoint at Stripe as the plan files say; shows what would be done')
    .option('--apply', 'do it')
    .option('--check', 'exit with 3 where there is something to do')
    .action((options: BillingSyncOptions) => answer(billingSync(context, options)))
  billing
    .command('check')
    .description('compare the subscriptions at Stripe with the repository; exits with 3 where they differ')
    .option('--apply', 'put right what can be, also what stops more tenants than one comparison may by itself')
    .action((options: BillingCheckOptions) => answer(billingCheck(context, options)))
  billing.command('done').description('a refund or dispute was looked at').argument('<id>', 'as `billing check` and the page say').action((id: string) => answer(billingDone(context, id)))
  billing
    .command('explain')
    .description('what a tenant owes for metered use, from the ledger and git alone, and what Stripe was told')
    .argument('<tenant>')
    .option('--month <month>', 'as in 2026-11; the present one without it')
    .action((tenant: string, options: { month?: string }) => answer(billingExplain(context, tenant, options)))
}
