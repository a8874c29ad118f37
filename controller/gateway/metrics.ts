/** The gateway's counters: plain numbers on the way of a request, shown through prom-client only when somebody asks. No tenant in any label. */
import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client'

export interface Metrics {
  /** `status`: the HTTP status; 0 for a connection that broke off. */
  request(product: string, status: number): void
  refusal(code: string): void
  upstreamError(product: string): void
  bytes(product: string, bytesIn: number, bytesOut: number): void
  /** Counted against a tenant's quotas. */
  metered(product: string): void
  /** A read of SQ: whether its answer was in memory. */
  read(result: 'hit' | 'miss'): void
  readonly counts: MetricCounts
  text(): Promise<string>
}

export interface MetricCounts {
  /** By product, then by class: `2xx`, `4xx`, `broken`. */
  readonly requests: Record<string, Record<string, number>>
  readonly refusals: Record<string, number>
  readonly upstreamErrors: Record<string, number>
  readonly metered: Record<string, number>
  readonly bytesIn: Record<string, number>
  readonly bytesOut: Record<string, number>
  readonly reads: Record<string, number>
}

/** Read when metrics are asked for. */
export interface GatewayGauges {
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

const CLASSES = ['broken', '1xx', '2xx', '3xx', '4xx', '5xx']

export function createMetrics(gauges: GatewayGauges): Metrics {
  const counts: MetricCounts = { requests: {}, refusals: {}, upstreamErrors: {}, metered: {}, bytesIn: {}, bytesOut: {}, reads: {} }
  const registry = new Registry()
  register(registry, counts, gauges)
  return {
    request(product, status) {
      add((counts.requests[product] ??= {}), CLASSES[Math.floor(status / 100)]!, 1)
    },
    refusal: (code) => add(counts.refusals, code, 1),
    upstreamError: (product) => add(counts.upstreamErrors, product, 1),
    bytes(product, bytesIn, bytesOut) {
      add(counts.bytesIn, product, bytesIn)
      add(counts.bytesOut, product, bytesOut)
    },
    metered: (product) => add(counts.metered, product, 1),
    read: (result) => add(counts.reads, result, 1),
    counts,
    text: () => registry.metrics(),
  }
}

function add(into: Record<string, number>, name: string, value: number): void {
  into[name] = (into[name] ?? 0) + value
}

function register(registry: Registry, counts: MetricCounts, gauges: GatewayGauges): void {
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
  gauge('tenantry_gateway_tenants', 'Tenants with a route.', gauges.tenants)
  gauge('tenantry_gateway_keys', 'Keys with a route.', gauges.keys)
  gauge('tenantry_gateway_route_records_applied', 'Records taken from snapshots and logs since the start.', gauges.applied)
  gauge('tenantry_gateway_route_corrupt_lines', 'Lines of the routes that were skipped since the start.', gauges.corruptLines)
  gauge('tenantry_gateway_upstream_active', 'Requests that instances are answering.', gauges.active)
  gauge('tenantry_gateway_upstream_waiting', 'Requests waiting in line for an instance.', gauges.waiting)
  gauge('tenantry_gateway_buffered_bytes', 'Request bodies and unread answers held in memory.', gauges.bufferedBytes)
  gauge('tenantry_gateway_read_cache_bytes', 'Answers to reads kept in memory.', gauges.keptBytes)
  gauge('tenantry_gateway_read_cache_evictions', 'Answers that left memory for others since the start.', gauges.keptEvictions)
  gauge('tenantry_gateway_storages_active', 'Tenants whose storage is measured at present.', gauges.storagesActive)
  gauge('tenantry_gateway_usage_write_failures', 'Times that usage could not be written down since the start.', gauges.usageFailures)
  gauge('tenantry_gateway_usage_write_seconds', 'How long the last writing down of usage took.', () => gauges.usageFlushMs() / 1000)
}
