/** `tenantry down`: ends the controller, the gateway and the SQ processes of this installation. Containers keep running: they are the customers'. */
import { settingsOf, type Answer, type CliContext } from './context.ts'
import { createGatewayProcess } from '../runtime/process/gateway-process.ts'
import { listProcesses, sqOf } from '../runtime/process/process-table.ts'
import { readRunFile } from './run-file.ts'

const ENDS_WITHIN_MS = 10_000
const POLL_MS = 50

export async function down(context: CliContext): Promise<Answer> {
  const { home } = settingsOf(context)
  const ended: string[] = []
  const run = readRunFile(home)
  if (run !== undefined && (await isController(run.pid))) {
    context.machine.kill(run.pid, 'SIGTERM')
    await goneWithin(async () => !(await isController(run.pid)))
    ended.push('controller')
  }
  if (await createGatewayProcess({ home, host: '', port: 0, workers: undefined, version: '', command: [''], environment: {} }).stop()) ended.push('gateway')
  const sqs = await sqsOf(home)
  for (const pid of sqs) {
    context.machine.kill(pid, 'SIGTERM')
    ended.push(`SQ ${pid}`)
  }
  if (sqs.length > 0) await goneWithin(async () => (await sqsOf(home)).length === 0)
  return { json: { ended }, text: ended.length === 0 ? 'Nothing was running.\n' : `Ended: ${ended.join(', ')}.\n` }
}

async function sqsOf(home: string): Promise<number[]> {
  return (await listProcesses()).flatMap((process) => (sqOf(process)?.config.startsWith(`${home}/sq/`) ? [process.pid] : []))
}

/** The id in run.json may be another program's by now. */
async function isController(pid: number): Promise<boolean> {
  return (await listProcesses()).some((process) => process.pid === pid && process.args.some((argument) => /main\.ts$|tenantry/.test(argument)))
}

async function goneWithin(gone: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + ENDS_WITHIN_MS
  while (!(await gone()) && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, POLL_MS))
}
