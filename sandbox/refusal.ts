/** A refusal in the form of Stripe's errors. */
export class StripeRefusal extends Error {
  override readonly name = 'StripeRefusal'
  readonly status: number
  readonly code: string | undefined
  readonly param: string | undefined
  readonly type: 'invalid_request_error' | 'idempotency_error' | 'card_error'

  constructor(status: number, message: string, details: { readonly code?: string; readonly param?: string; readonly type?: 'idempotency_error' | 'card_error' } = {}) {
    super(message)
    this.status = status
    this.code = details.code
    this.param = details.param
    this.type = details.type ?? 'invalid_request_error'
  }
}

export function missing(what: string, id: string, param = 'id'): StripeRefusal {
  return new StripeRefusal(404, `No such ${what}: '${id}'`, { code: 'resource_missing', param })
}

export function invalid(message: string, param?: string): StripeRefusal {
  return new StripeRefusal(400, message, param === undefined ? {} : { param })
}
