/** Starts the double for `tenantry up` without a Stripe account: prices from the plan files, secrets made once, state under HOME. */
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { lookupKey } from '../controller/core/purchase.ts'
import type { BillingInterval } from '../controller/core/specs.ts'
import type { CatalogView } from '../controller/core/catalog-view.ts'
import type { Sandbox, StartSandbox } from '../controller/cli/up.ts'
import { secretFile } from '../controller/installation.ts'
import { mailFolder } from '../controller/mail/files.ts'
import { createStripeDouble, type CatalogPrice } from './double.ts'
import { createMailPage } from './mail-page.ts'
import { offerMeteredPrices } from './metered-prices.ts'

export const startSandbox: StartSandbox = async ({ installation, webhookUrl, now }): Promise<Sandbox> => {
  const folder = path.join(installation.settings.home, 'sandbox')
  const secretKey = secretFile(path.join(folder, 'secret-key'), () => `sk_test_${randomBytes(16).toString('hex')}`)
  const webhookSecret = secretFile(path.join(folder, 'webhook-secret'), () => `whsec_${randomBytes(16).toString('hex')}`)
  const double = await createStripeDouble({ port: 0, stateFile: path.join(folder, 'account.jsonl'), webhookUrl, webhookSecret, secretKey, now, catalog: () => prices(installation.catalog), pages: [createMailPage(mailFolder(installation.settings.home))] })
  const stopOffering = offerMeteredPrices(installation, { secretKey, apiBase: double.url })
  const close = (): Promise<void> => {
    stopOffering()
    return double.close()
  }
  return { connection: { kind: 'sandbox', secretKey, webhookSecret, apiBase: double.url }, url: double.url, close }
}

/** Every price of every plan, as the catalogue at Stripe would hold it. */
function* prices(catalog: CatalogView): Generator<CatalogPrice> {
  for (const { metadata, spec } of catalog.plans()) {
    for (const [interval, price] of Object.entries(spec.prices) as [BillingInterval, { amount: number; currency: string }][]) {
      yield { lookupKey: lookupKey(metadata.name, interval), product: spec.product, productTitle: spec.title, amount: price.amount, currency: price.currency, interval }
    }
  }
}
