/** Charges, and what takes money back: refunds and disputes. A charge names no invoice: its payment intent leads there. */
import { listObject } from './list.ts'

export type Charge = ReturnType<typeof chargeObject>
export type Refund = ReturnType<typeof refundObject>
export type Dispute = ReturnType<typeof disputeObject>

export interface ChargeTerms {
  readonly amount: number
  readonly currency: string
  readonly customer: string
  readonly email: string | null
  readonly paymentIntent: string
  readonly paymentMethod: string | null
}

export function chargeObject(id: string, createdAt: number, { amount, currency, customer, email, paymentIntent, paymentMethod }: ChargeTerms) {
  return {
    id,
    object: 'charge' as const,
    amount,
    amount_captured: amount,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: `txn_${id.slice(3)}`,
    billing_details: { address: null, email, name: null, phone: null, tax_id: null },
    calculated_statement_descriptor: null,
    captured: true,
    created: createdAt,
    currency,
    customer,
    description: 'Subscription update',
    disputed: false,
    failure_balance_transaction: null,
    failure_code: null,
    failure_message: null,
    fraud_details: {},
    livemode: false,
    metadata: {},
    on_behalf_of: null,
    outcome: null,
    paid: true,
    payment_intent: paymentIntent,
    payment_method: paymentMethod,
    payment_method_details: null,
    receipt_email: null,
    receipt_number: null,
    receipt_url: null,
    refunded: false,
    refunds: listObject<Refund>([], `/v1/charges/${id}/refunds`),
    review: null,
    shipping: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: 'succeeded',
    transfer_data: null,
    transfer_group: null,
  }
}

export function refundObject(id: string, createdAt: number, charge: { readonly id: string; readonly currency: string; readonly customer: string; readonly payment_intent: string }, amount: number) {
  return {
    id,
    object: 'refund' as const,
    amount,
    balance_transaction: `txn_${id.slice(3)}`,
    charge: charge.id,
    created: createdAt,
    currency: charge.currency,
    customer: charge.customer,
    customer_account: null,
    destination_details: { card: { type: 'refund' }, type: 'card' },
    metadata: {},
    payment_intent: charge.payment_intent,
    payment_method: null,
    reason: null,
    receipt_number: null,
    source_transfer_reversal: null,
    status: 'succeeded',
    transfer_reversal: null,
  }
}

const EVIDENCE_DAYS = 14

export function disputeObject(id: string, createdAt: number, charge: Charge, reason: string) {
  return {
    id,
    object: 'dispute' as const,
    amount: charge.amount,
    balance_transactions: [],
    charge: charge.id,
    created: createdAt,
    currency: charge.currency,
    enhanced_eligibility_types: [],
    evidence: {},
    evidence_details: { due_by: createdAt + EVIDENCE_DAYS * 86_400, enhanced_eligibility: {}, has_evidence: false, past_due: false, submission_count: 0 },
    is_charge_refundable: false,
    livemode: false,
    metadata: {},
    payment_intent: charge.payment_intent,
    payment_method_details: null,
    reason,
    status: 'needs_response' as 'needs_response' | 'won' | 'lost',
  }
}
