/** Amounts and times as people read them. */
import { expect, test } from 'vitest'
import { bytesWords, countWords, dayWords, durationWords, limitWords, listWords, moneyWords, priceWords, timeWords } from '../../controller/core/wording.ts'

test('times are UTC and written out', () => {
  expect(dayWords('2026-02-09T23:59:59Z')).toBe('9 February 2026')
  expect(timeWords('2026-02-09T03:05:59+02:00')).toBe('9 February 2026, 01:05 UTC')
})

test.each([
  [40, '40 ms'],
  [2_440, '2.4 s'],
  [12_400, '12 s'],
  [60_000, '1 minute'],
  [600_000, '10 minutes'],
  [5_400_000, '2 hours'],
  [86_400_000, '1 day'],
  [30 * 86_400_000, '30 days'],
])('%i ms are %s', (ms, text) => expect(durationWords(ms)).toBe(text))

test.each([
  [0, '0 bytes'],
  [1023, '1,023 bytes'],
  [1536, '1.5 kB'],
  [234 * 2 ** 20, '234 MB'],
  [999 * 2 ** 20, '999 MB'],
  [1000 * 2 ** 20, '1 GB'],
  [5120 * 2 ** 20, '5.12 GB'],
  [2_500_000 * 2 ** 20, '2.5 TB'],
])('%i bytes are %s', (bytes, text) => expect(bytesWords(bytes)).toBe(text))

test('amounts, limits and lists', () => {
  expect(countWords(1_523_000)).toBe('1,523,000')
  expect(moneyWords({ amount: 1000, currency: 'usd' })).toBe('$10')
  expect(moneyWords({ amount: -123_450, currency: 'eur' })).toBe('-€1,234.50')
  expect(moneyWords({ amount: 1250, currency: 'chf' })).toBe('12.50 CHF')
  expect(moneyWords({ amount: 1500, currency: 'jpy' })).toBe('1,500 JPY')
  expect(priceWords({ amount: 10_000, currency: 'usd' }, 'year')).toBe('$100 a year')
  expect([limitWords('storageMb', 5000), limitWords('requestsPerMonth', 'unlimited'), limitWords('cpus', 0.5), limitWords('requestsPerDay', 10_000)]).toEqual(['5 GB', 'unlimited', '0.5', '10,000'])
  expect([[], ['a'], ['a', 'b'], ['a', 'b', 'c']].map(listWords)).toEqual(['', 'a', 'a and b', 'a, b and c'])
})
