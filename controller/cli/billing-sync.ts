/** `tenantry billing sync`: the catalogue at Stripe as the plan files say. Shows what it would do; does it with --apply. */
import { chmodSync, writeFileSync } from 'node:fs'
import { applyCatalogue } from '../../hooks/stripe/catalogue-apply.ts'
import { catalogueChanges, type CatalogueChanges, type CatalogueStep } from '../../hooks/stripe/catalogue-changes.ts'
import { readCatalogue } from '../../hooks/stripe/catalogue-read.ts'
import { wantedCatalogue, type FoundPrice, type PriceTerms } from '../../hooks/stripe/catalogue.ts'
import { createStripeClient } from '../../hooks/stripe/client.ts'
import type { Installation } from '../installation.ts'
import { webhookSecretFile } from '../settings.ts'
import { EXIT, table, UsageError, withInstallation, type Answer, type CliContext } from './context.ts'

export interface BillingSyncOptions {
  readonly apply?: true
  readonly check?: true
}

export async function billingSync(context: CliContext, options: BillingSyncOptions): Promise<Answer> {
  return withInstallation(context, (installation) => sync(context, installation, options), { withoutWebhookSecret: true })
}

async function sync(context: CliContext, installation: Installation, { apply, check }: BillingSyncOptions): Promise<Answer> {
  const { settings, writer, catalog, id } = installation
  if (settings.stripe.kind === 'sandbox') throw new UsageError("There is no Stripe account: in the sandbox the plan files' prices are there by themselves. Set STRIPE_SECRET_KEY for a real one.")
  const { secretKey, apiBase } = settings.stripe
  const stripe = createStripeClient({ secretKey, ...(apiBase !== undefined && { apiBase }) })
  const { result: wanted } = await writer.write(() => ({ result: wantedCatalogue(catalog, { installation: id, publicUrl: settings.publicUrl }) }))
  const changes = catalogueChanges(wanted, await readCatalogue(stripe, wanted))
  const notes = settings.publicUrl === undefined ? ['No webhook endpoint was looked for: set PUBLIC_URL to the address at which Stripe reaches this installation.'] : []
  if (changes.problems.length > 0 || apply !== true) return shown(changes, notes, check === true)
  const done: CatalogueStep[] = []
  await applyCatalogue({
    stripe,
    installation: id,
    keepSecret: (secret) => notes.push(keepSecret(settings.home, secret)),
    done(step) {
      done.push(step)
      context.writeError(`tenantry: done: ${lineOf(step).join(' ')}\n`)
    },
  }, changes.steps)
  const text = done.length === 0 ? 'Nothing to do: Stripe has what the plan files say.\n' : `${done.length} things were done at Stripe.\n`
  return { json: { steps: done, problems: [], notes, applied: true }, text: `${text}${lines(notes)}` }
}

/** The file's path is said, the secret is not: a terminal's history is read by many. */
function keepSecret(home: string, secret: string): string {
  const file = webhookSecretFile(home)
  writeFileSync(file, `${secret}\n`, { mode: 0o600 })
  chmodSync(file, 0o600)
  return `The webhook endpoint's secret is in ${file}, which \`tenantry up\` reads where STRIPE_WEBHOOK_SECRET is not set. Restart it now.`
}

function shown({ steps, problems }: CatalogueChanges, notes: readonly string[], check: boolean): Answer {
  const json = { steps, problems, notes, applied: false }
  if (problems.length > 0) return { json, text: `Nothing is done before this is put right:\n${lines(problems.map((problem) => `- ${problem}`))}`, exitCode: EXIT.invalid }
  if (steps.length === 0) return { json, text: `Nothing to do: Stripe has what the plan files say.\n${lines(notes)}` }
  const text = `${table(steps.map(lineOf))}\n\nNothing was changed. \`tenantry billing sync --apply\` does it.\n${lines(notes)}`
  return { json, text, ...(check && { exitCode: EXIT.changes }) }
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join('')
}

function lineOf(step: CatalogueStep): string[] {
  switch (step.kind) {
    case 'create-product':
      return ['+ product', step.product.id, step.product.name]
    case 'update-product':
      return ['~ product', step.product.id, `${step.was} -> ${step.product.name}`]
    case 'archive-product':
      return ['- product', step.id, `${step.name}: no plan file is left; nobody new can buy it`]
    case 'create-meter':
      return ['+ meter', step.meter.eventName, step.meter.displayName]
    case 'create-price':
      return step.replaces === undefined ? ['+ price', step.price.lookupKey, priced(step.price)] : ['~ price', step.price.lookupKey, `${priced(step.replaces)} -> ${priced(step.price)}; ${keepers(step.replaces)}`]
    case 'activate-price':
      return ['~ price', step.price.lookupKey, `${priced(step.price)}: for sale again`]
    case 'archive-price':
      return ['- price', step.price.lookupKey ?? step.price.id, `${priced(step.price)}: nobody new can buy it; ${keepers(step.price)}`]
    case 'create-portal':
      return ['+ portal', step.portal.product, step.portal.headline]
    case 'update-portal':
      return ['~ portal', step.portal.product, step.portal.headline]
    case 'create-endpoint':
      return ['+ webhook', step.endpoint.url, `version ${step.endpoint.apiVersion}${step.instead === undefined ? '' : `, beside ${step.instead.id}, which the next run disables: restart with the new secret in between`}`]
    case 'update-endpoint':
      return ['~ webhook', step.endpoint.url, `${step.endpoint.events.length} kinds of events`]
    case 'disable-endpoint':
      return ['- webhook', step.endpoint.url, `${step.endpoint.id} of version ${step.endpoint.apiVersion ?? 'of the account'}`]
  }
}

function priced({ amount, currency, interval, eventName, included }: PriceTerms): string {
  const per = eventName === undefined ? `a ${interval}` : `for each one used${included === undefined ? '' : ` above ${included} a ${interval}`}`
  return `${(Number(amount) / 100).toFixed(2 + Math.max(0, (amount.split('.')[1] ?? '').length))} ${currency} ${per}`
}

function keepers({ subscribers }: FoundPrice): string {
  return subscribers === 0 ? 'nobody pays the old price' : `${subscribers} ${subscribers === 1 ? 'subscription keeps' : 'subscriptions keep'} the old price`
}
