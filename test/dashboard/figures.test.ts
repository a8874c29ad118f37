/** Use in figures: days without gaps, this month, limits in force; and the file for spreadsheets. */
import { expect, it } from 'vitest'
import { figuresOf, usageCsv } from '../../controller/dashboard/figures.ts'
import { openUsage } from '../../controller/store/usage.ts'
import path from 'node:path'
import { plan, tenant } from '../support/specs.ts'
import { tempFolder } from '../support/temp.ts'

const NOON = new Date('2026-03-02T12:00:00Z')

function usage() {
  const file = openUsage(path.join(tempFolder('usage'), 'usage.db'))
  const count = (tenantId: string, day: string, requests: number) => ({ tenant: tenantId, key: 'k1', day, requests, refused: 1, errors: 0, bytesIn: 10, bytesOut: 20 })
  file.write({ counts: [count('user001', '2026-02-27', 5), count('user001', '2026-03-01', 7), count('user001', '2026-03-02', 11), count('user002', '2026-03-02', 1000)], lastUsed: [], storage: [{ tenant: 'user001', day: '2026-03-01', bytes: 1024 }], refusals: [] })
  return file
}

it('has every day of the span, today and this month, and nothing of another\'s', () => {
  const figures = figuresOf(tenant('user001', { limits: { storageMb: 5 } }), plan('standard', { limits: { storageMb: 1, requestsPerMonth: 'unlimited', requestsPerDay: 100 }, fairUse: { requestsPerMonth: 10_000 } }), usage(), 5, NOON)
  expect(figures.days.map(({ day, requests }) => [day, requests])).toEqual([['2026-02-26', 0], ['2026-02-27', 5], ['2026-02-28', 0], ['2026-03-01', 7], ['2026-03-02', 11]])
  expect(figures).toMatchObject({ today: 11, month: 18, storedBytes: 1024, storageLimitBytes: 5 * 1024 * 1024, perDay: { value: 100, fairUse: false }, perMonth: { value: 10_000, fairUse: true } })
})

it('counts the whole month where the span is shorter, and is all zeros where no gateway ever ran', () => {
  expect(figuresOf(tenant('user001'), plan('standard'), usage(), 1, NOON).month).toBe(18)
  expect(figuresOf(tenant('user001'), undefined, undefined, 2, NOON)).toMatchObject({ today: 0, month: 0, storedBytes: 0, storageLimitBytes: undefined, days: [{ requests: 0 }, { requests: 0 }] })
})

it('is a table for spreadsheets', () => {
  expect(usageCsv(figuresOf(tenant('user001'), undefined, usage(), 2, NOON).days)).toBe('day,requests,refused,errors,bytes_in,bytes_out,storage_bytes\r\n2026-03-01,7,1,0,10,20,1024\r\n2026-03-02,11,1,0,10,20,\r\n')
})
