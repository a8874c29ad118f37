/**
 * Argon2id, as OWASP's Password Storage Cheat Sheet says for it, off the event loop. Each hash takes 19 MiB and tens of milliseconds,
 * so few run at once and few wait: more than that is an attack, and is told to come back later.
 */
import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { HttpProblem } from '../web/http-problem.ts'

export interface Passwords {
  /** In PHC format. @throws HttpProblem 503 where too many wait already. */
  hash(password: string): Promise<string>
  /** Takes as long where `stored` is null, and is then false. @throws HttpProblem 503 */
  verify(password: string, stored: string | null): Promise<boolean>
}

export interface Argon2Cost {
  readonly memoryKb: number
  readonly passes: number
  readonly parallelism: number
}

export interface PasswordsOptions {
  /** Who runs the hash: counted in tests. */
  readonly derive?: (password: string, salt: Buffer, cost: Argon2Cost) => Promise<Buffer>
  readonly atOnce?: number
  readonly mostWaiting?: number
}

const COST: Argon2Cost = { memoryKb: 19_456, passes: 2, parallelism: 1 }
const TAG_BYTES = 32
const SALT_BYTES = 16
/** No word has this hash: what an unknown address is compared with. */
const NOBODY = phc(COST, Buffer.alloc(SALT_BYTES), Buffer.alloc(TAG_BYTES))

export function createPasswords({ derive = deriveArgon2id, atOnce = 2, mostWaiting = 40 }: PasswordsOptions = {}): Passwords {
  const waiting: (() => void)[] = []
  let running = 0

  async function turn<T>(work: () => Promise<T>): Promise<T> {
    if (running >= atOnce) {
      if (waiting.length >= mostWaiting) throw busy()
      await new Promise<void>((resolve) => waiting.push(resolve))
    } else running++
    try {
      return await work()
    } finally {
      // The place goes to the next in line, so that nobody who comes meanwhile takes it.
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }

  return {
    hash: (password) =>
      turn(async () => {
        const salt = randomBytes(SALT_BYTES)
        return phc(COST, salt, await derive(normal(password), salt, COST))
      }),
    verify: (password, stored) =>
      turn(async () => {
        const { cost, salt, tag } = parsePhc(stored ?? NOBODY)
        const equal = timingSafeEqual(await derive(normal(password), salt, cost), tag)
        return equal && stored !== null
      }),
  }
}

/** The same letters typed on two keyboards are the same password. */
const normal = (password: string): string => password.normalize('NFKC')

export function deriveArgon2id(password: string, salt: Buffer, { memoryKb, passes, parallelism }: Argon2Cost): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    argon2('argon2id', { message: password, nonce: salt, memory: memoryKb, passes, parallelism, tagLength: TAG_BYTES }, (error, tag) => (error === null ? resolve(tag) : reject(error)))
  })
}

function phc({ memoryKb, passes, parallelism }: Argon2Cost, salt: Buffer, tag: Buffer): string {
  const base64 = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '')
  return `$argon2id$v=19$m=${memoryKb},t=${passes},p=${parallelism}$${base64(salt)}$${base64(tag)}`
}

function parsePhc(text: string): { readonly cost: Argon2Cost; readonly salt: Buffer; readonly tag: Buffer } {
  const [, memory, passes, parallelism, salt, tag] = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([^$]+)\$([^$]+)$/.exec(text) ?? []
  if (tag === undefined) throw new Error('a stored password hash is not in the format that this program writes')
  return { cost: { memoryKb: Number(memory), passes: Number(passes), parallelism: Number(parallelism) }, salt: Buffer.from(salt!, 'base64'), tag: Buffer.from(tag, 'base64') }
}

function busy(): HttpProblem {
  return new HttpProblem({ status: 503, code: 'sign-in-busy', title: 'Busy', detail: 'Too many people sign in at this moment. Try again in 5 s.', retryAfterSeconds: 5 })
}
