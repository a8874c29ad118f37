/** How long what takes a second on a machine with nothing else to do may take now. */
import { availableParallelism, loadavg } from 'node:os'

const LOOKED_AT_MS = 20

/** A second where the machine is idle; more only as far as it is measured to have more to do than processors. */
export function secondMs(): number {
  return 1_000 * Math.max(1, loadavg()[0]! / availableParallelism(), waitForProcessor())
}

/** How many times as long as its processor time some work takes now: the load of the last minute says nothing about a burst. */
function waitForProcessor(): number {
  const [began, before] = [performance.now(), process.cpuUsage()]
  let usedMs = 0
  while (usedMs < LOOKED_AT_MS) {
    const { user, system } = process.cpuUsage(before)
    usedMs = (user + system) / 1_000
  }
  return (performance.now() - began) / usedMs
}
