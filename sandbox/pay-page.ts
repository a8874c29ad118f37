/** The page on which a sandbox purchase is paid or cancelled: plain HTML, nothing from outside, plainly no real money. */
import type { FastifyPluginAsync, FastifyReply } from 'fastify'
import { parseForm, textAt } from './form.ts'
import { firstAmount } from './objects/session.ts'
import type { OfflineDouble } from './offline-double.ts'
import { escape, formatAmount, sendPage } from './page.ts'
import { StripeRefusal } from './refusal.ts'
import type { StoredSession } from './state.ts'

interface ById {
  readonly Params: { readonly id: string }
}

export function createPayPage(double: OfflineDouble): FastifyPluginAsync {
  return async (app) => {
    app.setErrorHandler((error: Error & { readonly statusCode?: number }, _request, reply) => {
      const status = error instanceof StripeRefusal ? error.status : (error.statusCode ?? 500)
      return sendPage(reply, status, 'This page is not for paying any more', `<p>${escape(error.message)}</p>`)
    })
    app.get<ById>('/pay/:id', (request, reply) => showSession(reply, stored(double, request.params.id)))
    app.post<ById>('/pay/:id', (request, reply): FastifyReply => {
      const action = textAt(parseForm(typeof request.body === 'string' ? request.body : '')['action'])
      const { session } = stored(double, request.params.id)
      if (action === 'cancel') return goOn(reply, session.cancel_url, session.id, 'Cancelled')
      if (action !== 'pay') throw new StripeRefusal(400, 'Choose to pay or to cancel.')
      // Pressed twice is paid once.
      if (session.status !== 'complete') double.pay(session.id)
      return goOn(reply, session.success_url, session.id, 'Paid')
    })
  }
}

/** As it stands now: time may have ended it. */
function stored({ account, now }: OfflineDouble, id: string): StoredSession {
  account.catchUp(now())
  return account.checkout.session(id)
}

function goOn(reply: FastifyReply, url: string | null, session: string, done: string): FastifyReply {
  return url === null ? sendPage(reply, 200, done, '<p>You can close this page.</p>') : reply.redirect(url.replaceAll('{CHECKOUT_SESSION_ID}', session), 303)
}

function showSession(reply: FastifyReply, { session, terms }: StoredSession): FastifyReply {
  if (session.status === 'expired') return sendPage(reply, 410, 'This checkout has expired', '<p>Nothing was charged. Start again where you came from.</p>')
  if (session.status === 'complete') return sendPage(reply, 200, 'This is paid', '<p>Nothing more to do here.</p>')
  const { items, trialDays } = terms
  const { price } = items[0]!
  const amount = formatAmount(items.reduce((sum, item) => sum + firstAmount(item), 0), price.currency)
  const rows = [
    ['Plan', price.nickname ?? price.lookup_key ?? 'a plan'],
    ['Price', `${amount} a ${price.recurring.interval}`],
    ['For', session.customer_email ?? 'you'],
    ['Due now', trialDays > 0 ? `nothing, ${trialDays} days free` : amount],
  ]
  const list = rows.map(([name, value]) => `<div><dt>${escape(name!)}</dt><dd>${escape(value!)}</dd></div>`).join('')
  const button = trialDays > 0 ? 'Start the trial' : `Pay ${amount}`
  const buttons = `<button name="action" value="pay" autofocus>${escape(button)}</button><button name="action" value="cancel" class="quiet">Cancel</button>`
  return sendPage(reply, 200, 'Complete your purchase', `<dl>${list}</dl><form method="post">${buttons}</form>`, [session.success_url, session.cancel_url])
}
