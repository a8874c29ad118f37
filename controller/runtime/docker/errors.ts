/** Turns what the engine answers into errors that say what happens next. The texts are the engine's own (moby, 20.10 to 29). */
import { ReconcileError, type Next } from '../../core/outcome.ts'

const STALLED: Next = { kind: 'stalled' }
const WAITING: Next = { kind: 'waiting' }
const TRANSIENT: Next = { kind: 'transient' }

const NO_ENGINE_CODES = new Set(['ENOENT', 'ECONNREFUSED', 'EACCES', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT'])

export const ENGINE_FIX = 'Install and start Docker (Debian: apt-get install docker.io), let this user reach its socket, or set DOCKER_HOST.'

/** The HTTP status of an engine's refusal; undefined where there was no answer. */
export const statusOf = (error: unknown): number | undefined => (error as { statusCode?: number } | undefined)?.statusCode

/** The engine's own words. */
function textOf(error: unknown): string {
  const json = (error as { json?: { message?: unknown } } | undefined)?.json
  if (typeof json?.message === 'string') return json.message
  return error instanceof Error ? error.message : String(error)
}

interface Rule {
  readonly when: RegExp
  readonly next: Next
  readonly reason: string
  readonly advice: string
}

const RULES: readonly Rule[] = [
  {
    when: /could not find an available, non-overlapping IPv4 address pool|all predefined address pools have been fully subnetted/i,
    next: STALLED,
    reason: 'AddressPoolsExhausted',
    advice:
      'Every container has a bridge network of its own, and the default pools allow about 30. Add to /etc/docker/daemon.json: ' +
      '"default-address-pools": [{"base": "10.200.0.0/14", "size": 26}], then restart the engine.',
  },
  { when: /no such image|pull access denied/i, next: STALLED, reason: 'ImageMissing', advice: 'Load or build the image on the engine.' },
  {
    when: /port is already allocated|address already in use/i,
    next: TRANSIENT,
    reason: 'PortConflict',
    advice: 'Another program took the host port that the engine chose; the next attempt gets another.',
  },
  { when: /no space left on device/i, next: TRANSIENT, reason: 'EngineDiskFull', advice: "Free space on the engine's disk." },
]

/** `doing` says what was tried and on what, as in "starting container X". */
export function engineError(error: unknown, doing: string): ReconcileError {
  if (error instanceof ReconcileError) return error
  const code = (error as { code?: string } | undefined)?.code
  const text = textOf(error)
  if (error instanceof Error && error.name === 'AbortError') {
    return new ReconcileError(TRANSIENT, 'EngineTimeout', `${doing}: the container engine gave no answer in time. Look whether it hangs: docker ps`, { cause: error })
  }
  if (code !== undefined && NO_ENGINE_CODES.has(code)) return engineMissing(`${doing}: ${text}`, error)
  const rule = RULES.find(({ when }) => when.test(text))
  if (rule) return new ReconcileError(rule.next, rule.reason, `${doing}: ${text.trim()}. ${rule.advice}`, { cause: error })
  if (statusOf(error) === 400) return new ReconcileError(STALLED, 'SpecRefused', `${doing}: the engine refuses it: ${text.trim()}. Correct the Product or the limits.`, { cause: error })
  return new ReconcileError(TRANSIENT, statusOf(error) === undefined ? 'EngineUnreachable' : 'EngineError', `${doing}: ${text.trim()}`, { cause: error })
}

export const engineMissing = (why: string, cause?: unknown): ReconcileError => new ReconcileError(WAITING, 'EngineMissing', `no container engine answers (${why}). ${ENGINE_FIX}`, { cause })

const OWN_IMAGE = /^tenantry\/(sq|conductor|contextlite):/

export function imageMissing(image: string): ReconcileError {
  const own = OWN_IMAGE.exec(image)?.[1]
  const command = own === undefined ? `docker pull ${image}` : `node deploy/images/build.ts ${own}`
  return new ReconcileError(STALLED, 'ImageMissing', `the engine has no image ${image}. Run: ${command}`)
}

export const nameTaken = (kind: 'container' | 'network' | 'volume', name: string): ReconcileError =>
  new ReconcileError(
    STALLED,
    'NameTaken',
    `there is already a ${kind} called ${name} that this installation did not make; it is left alone. Look at it (docker ${kind} inspect ${name}), and rename or remove it.`,
  )

/** Undefined where the engine has no such thing. */
export async function orAbsent<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (statusOf(error) === 404) return undefined
    throw error
  }
}
