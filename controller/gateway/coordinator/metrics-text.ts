/** All workers' counters together, shown through prom-client, which is loaded only when somebody asks. No tenant in any label. */
import type { Registry } from 'prom-client'
import type { MetricCounts } from '../metrics.ts'

/** Read when metrics are asked for. */
export interface GatewayGauges {
  readonly workers: () => number
  readonly workersLost: () => number
  readonly tenants: () => number
  readonly keys: () => number
  readonly applied: () => number
  readonly corruptLines: () => number
  readonly active: () => number
  readonly waiting: () => number
  readonly bufferedBytes: () => number
  readonly keptBytes: () => number
  readonly keptEvictions: () => number
  readonly storagesActive: () => number
  readonly usageFailures: () => number
  readonly usageFlushMs: () => number
}

/** Answers Prometheus' text. */
export function createMetricsText(counts: MetricCounts, gauges: GatewayGauges): () => Promise<string> {
  let registry: Promise<Registry> | undefined
  return async () => (await (registry ??= createRegistry(counts, gauges))).metrics()
}

async function createRegistry(counts: MetricCounts, gauges: GatewayGauges): Promise<Registry> {
  const { Counter, Gauge, Registry, collectDefaultMetrics } = await import('prom-client')
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry, prefix: 'tenantry_gateway_' })
  const simple = (name: string, help: string, label: string, values: () => Record<string, number>): void => {
    const counter = new Counter({ name, help, labelNames: [label], registers, collect: () => void show() })
    const show = (): void => {
      counter.reset()
      for (const [value, count] of Object.entries(values())) counter.inc({ [label]: value }, count)
    }
  }
  const requests = new Counter({
    name: 'tenantry_gateway_requests_total',
    help: 'Requests answered, by product and class of status.',
    labelNames: ['product', 'class'],
    registers,
    collect() {
      requests.reset()
      for (const [product, classes] of Object.entries(counts.requests)) {
        for (const [name, count] of Object.entries(classes)) requests.inc({ product, class: name }, count)
      }
    },
  })
  simple('tenantry_gateway_refusals_total', 'Requests refused by the gateway itself, by code.', 'code', () => counts.refusals)
  simple('tenantry_gateway_upstream_errors_total', 'Instances that did not answer properly, by product.', 'product', () => counts.upstreamErrors)
  simple('tenantry_gateway_metered_requests_total', 'Requests counted against quotas, by product.', 'product', () => counts.metered)
  simple('tenantry_gateway_received_bytes_total', 'Bytes of request bodies, by product.', 'product', () => counts.bytesIn)
  simple('tenantry_gateway_sent_bytes_total', 'Bytes of answer bodies, by product.', 'product', () => counts.bytesOut)
  simple('tenantry_gateway_reads_total', 'Reads of SQ, by whether their answer was in memory.', 'result', () => counts.reads)
  const gauge = (name: string, help: string, value: () => number): void => {
    const made = new Gauge({ name, help, registers, collect: () => void made.set(value()) })
  }
  gauge('tenantry_gateway_workers', 'Workers that serve at present.', gauges.workers)
  gauge('tenantry_gateway_workers_lost', 'Workers that ended by themselves and were replaced since the start.', gauges.workersLost)
  gauge('tenantry_gateway_tenants', 'Tenants with a route.', gauges.tenants)
  gauge('tenantry_gateway_keys', 'Keys with a route.', gauges.keys)
  gauge('tenantry_gateway_route_records_applied', 'Records taken from snapshots and logs since the start, by the slowest worker.', gauges.applied)
  gauge('tenantry_gateway_route_corrupt_lines', 'Lines of the routes that were skipped since the start.', gauges.corruptLines)
  gauge('tenantry_gateway_upstream_active', 'Requests that instances are answering.', gauges.active)
  gauge('tenantry_gateway_upstream_waiting', 'Requests waiting in line for an instance.', gauges.waiting)
  gauge('tenantry_gateway_buffered_bytes', 'Request bodies and unread answers held in memory.', gauges.bufferedBytes)
  gauge('tenantry_gateway_read_cache_bytes', 'Answers to reads kept in memory.', gauges.keptBytes)
  gauge('tenantry_gateway_read_cache_evictions', 'Answers that left memory for others since the start.', gauges.keptEvictions)
  gauge('tenantry_gateway_storages_active', 'Tenants whose storage is measured at present.', gauges.storagesActive)
  gauge('tenantry_gateway_usage_write_failures', 'Times that usage could not be written down since the start.', gauges.usageFailures)
  gauge('tenantry_gateway_usage_write_seconds', 'How long the last writing down of usage took.', () => gauges.usageFlushMs() / 1000)
  return registry
}
