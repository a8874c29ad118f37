/** What the simulated seller sells: a founder's plan with few slots, its dearer successor, and a plan with a trial. */
import type { Plan } from '../../controller/core/specs.ts'
import { platform, sharedProduct } from '../support/specs.ts'

const usd = (amount: number) => ({ amount, currency: 'usd' })

export function salePlan(name: string, month: number, changes: Partial<Plan['spec']> = {}): Plan {
  return { kind: 'Plan', metadata: { name }, spec: { product: 'sq', title: name, tier: name, prices: { month: usd(month), year: usd(month * 10) }, limits: { storageMb: 1000 }, ...changes } }
}

export const FOUNDER = salePlan('sq-founder', 1000, { slots: 2, successor: 'sq-standard' })
export const STANDARD = salePlan('sq-standard', 1500)
export const TRIAL = salePlan('sq-trial', 5000, { trialDays: 14 })
export const SPECS = [platform({ billing: { suspensionLimit: { count: 100, sharePercent: 100 } } }), sharedProduct({ run: { kind: 'shared-sq', engine: 'process', tenantsPerShard: 500 } }), FOUNDER, STANDARD, TRIAL] as const
