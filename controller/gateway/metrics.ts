/** A worker's counters: plain numbers on the way of a request, taken out and posted now and then. No tenant in any name. */

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
  /** What was counted since the last time. */
  take(): MetricCounts
}

/** Counts by the labels' values. */
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

/** What a worker has under way at the moment; all workers' together are shown. */
export interface WorkerGauges {
  readonly active: number
  readonly waiting: number
  readonly bufferedBytes: number
  readonly keptBytes: number
  readonly keptEvictions: number
}

const CLASSES = ['broken', '1xx', '2xx', '3xx', '4xx', '5xx']

export function noCounts(): MetricCounts {
  return { requests: {}, refusals: {}, upstreamErrors: {}, metered: {}, bytesIn: {}, bytesOut: {}, reads: {} }
}

export function createMetrics(): Metrics {
  let counts = noCounts()
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
    take() {
      const taken = counts
      counts = noCounts()
      return taken
    },
  }
}

function add(into: Record<string, number>, name: string, value: number): void {
  into[name] = (into[name] ?? 0) + value
}

interface Counts {
  [name: string]: number | Counts
}

/** Whatever is counted, and by however many labels. */
export function addCounts(into: MetricCounts, from: MetricCounts): void {
  addEach(into as unknown as Counts, from as unknown as Counts)
}

function addEach(into: Counts, from: Counts): void {
  for (const [name, value] of Object.entries(from)) {
    if (typeof value === 'number') into[name] = ((into[name] as number | undefined) ?? 0) + value
    else addEach((into[name] ??= {}) as Counts, value)
  }
}
