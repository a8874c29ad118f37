/** Where payments come from: a real account, or the sandbox's double. The same code paths; only address and secrets differ. */
export interface StripeConnection {
  readonly kind: 'account' | 'sandbox'
  readonly secretKey: string
  readonly webhookSecret: string
  readonly apiBase: string | undefined
}
