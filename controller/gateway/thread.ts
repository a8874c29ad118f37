/** Entry of a worker thread: what a worker needs of its surroundings, and nothing else. Started by the coordinator alone. */
import module from 'node:module'
import { fileURLToPath } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'
import type { WorkerPlan } from './worker.ts'

// Reading TypeScript takes most of a start: kept for the next one, beside the packages.
module.enableCompileCache(fileURLToPath(new URL('../../node_modules/.cache/tenantry', import.meta.url)))
const { startWorker } = await import('./worker.ts')

startWorker({
  plan: workerData as WorkerPlan,
  port: parentPort!,
  now: () => new Date(),
  steadyMs() {
    const [seconds, nanoseconds] = process.hrtime()
    return seconds * 1e3 + nanoseconds / 1e6
  },
})
// A gateway is mostly killed, or ended long after this.
module.flushCompileCache()
