/** The selling side of the program on a simulated machine: the real receiver, inbox, batches and checkout. It can die at any step, and starts again from the store and the repository. */
import Stripe from 'stripe'
import { stringifyTenant } from '../../controller/specs/write.ts'
import { createBillingDifferences, type BillingDifferences } from '../../controller/store/billing-differences.ts'
import { createBillingCases } from '../../controller/store/billing-cases.ts'
import { createCheckoutHolds, type CheckoutHolds } from '../../controller/store/checkout-holds.ts'
import type { Store } from '../../controller/store/db.ts'
import { createHighestNumbers } from '../../controller/store/highest-numbers.ts'
import { createInbox, type Inbox } from '../../controller/store/inbox.ts'
import { startCheckout } from '../../hooks/stripe/checkout.ts'
import { createStripeClient } from '../../hooks/stripe/client.ts'
import { compareOnce, type CompareOptions, type Round } from '../../hooks/stripe/compare.ts'
import { workOnPurchases, type PurchaseBatchOptions } from '../../hooks/stripe/purchase-batch.ts'
import { receiveEvent } from '../../hooks/stripe/webhook.ts'
import { HttpProblem, statusOf } from '../../controller/web/http-problem.ts'
import { createHttpClient } from '../../sandbox/in-process.ts'
import type { ApiAnswer, ApiRequest } from '../../sandbox/api.ts'
import type { SignedMessage } from '../../sandbox/outgoing.ts'
import type { Chance } from './chance.ts'
import { mail } from './mail.ts'
import { createLife, Killed, type Life } from './mortal.ts'
import type { SimRepository } from './repository.ts'

export const INSTALLATION = 'sim'
export const SECRET_KEY = 'sk_test_sim'
export const WEBHOOK_SECRET = 'whsec_sim'
const BATCH = 100

export interface Machine {
  readonly db: Store
  readonly repository: SimRepository
  readonly now: () => Date
  /** The way to Stripe, with what goes wrong on it. */
  readonly api: (request: ApiRequest) => Promise<ApiAnswer>
  readonly dies: () => boolean
  readonly chance: Chance
}

export interface Program {
  readonly dead: boolean
  /** What the endpoint answered; rejects where the process died over it. */
  receive(message: SignedMessage): Promise<number>
  checkout(body: object): Promise<string>
  /** One pass over what is due. */
  work(): Promise<void>
  /** Writes to everybody who is to have mail. */
  mail(): Promise<void>
  /** One comparison of Stripe with the repository. */
  compare(): Promise<Round>
}

export function startProgram(machine: Machine): Program {
  const { db, repository, now, chance } = machine
  const life = createLife(machine.dies)
  const inbox = life.wrap(createInbox(db, { now, mark: () => undefined, rushPauseMs: 0 }))
  const stripe = createStripeClient({ secretKey: SECRET_KEY, httpClient: createHttpClient((request) => life.step(() => machine.api(request))), networkRetries: 0 })
  const holds = life.wrap(createCheckoutHolds(db))
  const options = batchOptions(machine, life, { inbox, stripe, holds })
  const checkout = {
    stripe,
    catalog: () => repository.catalog,
    holds,
    newHold: () => chance.hex(32),
    publicUrl: 'http://localhost:8080',
    installation: INSTALLATION,
    now,
  }
  const compare = compareOptions(machine, { inbox, options, differences: life.wrap(createBillingDifferences(db)) })
  return {
    get dead() {
      return life.dead
    },
    receive: (message) => receive(inbox, machine, message),
    mail: () => mail(machine, life),
    async checkout(body) {
      const { url } = await startCheckout(checkout, body)
      return url.slice(url.lastIndexOf('/') + 1)
    },
    compare: () => compareOnce(compare, 'heal'),
    async work() {
      for (let events = inbox.open(BATCH); events.length > 0; events = inbox.open(BATCH)) await workOnPurchases(options, events)
    },
  }
}

/** What it hands to the inbox is worked on right after it: nothing is waited for by a real clock. */
function compareOptions({ repository, now, chance }: Machine, { inbox, options, differences }: { inbox: Inbox; options: PurchaseBatchOptions; differences: BillingDifferences }): CompareOptions {
  const { stripe, writer, files, log } = options
  return {
    stripe: stripe as Stripe,
    catalog: () => repository.catalog,
    writer,
    files,
    inbox: { put: inbox.put, isOpen: inbox.isOpen, isPending: () => false, servedBy: inbox.servedBy },
    differences,
    installation: INSTALLATION,
    now,
    newTrace: () => chance.hex(32),
    poke: () => undefined,
    log,
    count: () => undefined,
  }
}

function batchOptions({ db, repository, now, chance }: Machine, life: Life, { inbox, stripe, holds }: { inbox: Inbox; stripe: Stripe; holds: CheckoutHolds }): PurchaseBatchOptions {
  const quiet = () => undefined
  return {
    inbox,
    stripe,
    writer: life.wrap(repository.writer),
    files: life.wrap(repository.files),
    holds,
    cases: life.wrap(createBillingCases(db)),
    highestNumbers: life.wrap(createHighestNumbers(db)),
    mark: quiet,
    stringify: stringifyTenant,
    installation: INSTALLATION,
    masterVersion: 1,
    now,
    chance: () => chance.next(),
    newNonce: () => chance.hex(32),
    log: { info: quiet, warn: quiet, error: quiet },
    count: quiet,
  }
}

const { webhooks } = new Stripe(SECRET_KEY)

/** What the endpoint does, without HTTP: test/hooks/stripe/webhook.test.ts has that. */
async function receive(inbox: Inbox, { now, chance }: Machine, { headers, body }: SignedMessage): Promise<number> {
  const quiet = () => undefined
  const options = { inbox, webhooks, secret: WEBHOOK_SECRET, now, newTrace: () => chance.hex(32), poke: quiet, log: { info: quiet, warn: quiet, error: quiet }, count: quiet }
  try {
    await receiveEvent(options, Buffer.from(body), headers['stripe-signature'])
    return 200
  } catch (error) {
    return error instanceof HttpProblem ? statusOf(error) : 500
  }
}

/** Whether an error is the process's end, which is no answer to anybody. */
export function isKilled(error: unknown): boolean {
  return error instanceof Killed || (error instanceof Error && isKilled(error.cause))
}
