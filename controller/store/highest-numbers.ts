/**
 * The highest tenant number ever given in each product, written before the push that gives it. Only ever raised: a number whose
 * file was removed, or whose push failed half-way, is not given again.
 */
import type { Store } from './db.ts'

export interface HighestNumbers {
  /** 0 where none was given yet. */
  get(product: string): number
  /** Durable when it returns; lower numbers than the present one change nothing. */
  raise(product: string, number: number): void
}

export function createHighestNumbers(db: Store): HighestNumbers {
  const get = db.prepare('SELECT number FROM highest_numbers WHERE product = ?')
  const raise = db.prepare(
    'INSERT INTO highest_numbers (product, number) VALUES (?, ?) ON CONFLICT (product) DO UPDATE SET number = excluded.number WHERE excluded.number > number',
  )
  return {
    get: (product) => (get.get(product) as { number: number } | undefined)?.number ?? 0,
    raise: (product, number) => void raise.run(product, number),
  }
}
