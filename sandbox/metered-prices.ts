/** What plans sell by use is at the sandbox's Stripe as `tenantry billing sync` would make it: meters, and prices that go by them. The other prices are there by themselves. */
import { applyCatalogue } from '../hooks/stripe/catalogue-apply.ts'
import { catalogueChanges, type CatalogueStep } from '../hooks/stripe/catalogue-changes.ts'
import { readCatalogue } from '../hooks/stripe/catalogue-read.ts'
import { wantedCatalogue } from '../hooks/stripe/catalogue.ts'
import { createStripeClient } from '../hooks/stripe/client.ts'
import type { Installation } from '../controller/installation.ts'

/** Follows the plan files; answers how to stop. What fails is tried again with the next change; until then a checkout says what is missing. */
export function offerMeteredPrices({ catalog, source, id }: Pick<Installation, 'catalog' | 'source' | 'id'>, account: { readonly secretKey: string; readonly apiBase: string }): () => void {
  const stripe = createStripeClient(account)
  let queue: Promise<void> = Promise.resolve()
  const offer = async (): Promise<void> => {
    if (![...catalog.plans()].some(({ spec }) => spec.meters !== undefined)) return
    const wanted = wantedCatalogue(catalog, { installation: id, publicUrl: undefined })
    const { steps } = catalogueChanges(wanted, await readCatalogue(stripe, wanted))
    await applyCatalogue({ stripe, installation: id, keepSecret: () => undefined, done: () => undefined }, steps.filter(isForMeters))
  }
  return source.onTouched(() => {
    queue = queue.then(offer).catch(() => undefined)
  })
}

function isForMeters(step: CatalogueStep): boolean {
  return step.kind === 'create-product' || step.kind === 'create-meter' || (step.kind === 'create-price' && step.price.eventName !== undefined)
}
