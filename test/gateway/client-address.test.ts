import { expect, it } from 'vitest'
import { createClientAddress } from '../../controller/gateway/client-address.ts'

const from = (remoteAddress: string, forwarded?: string) => ({ socket: { remoteAddress }, headers: { ...(forwarded !== undefined && { 'x-forwarded-for': forwarded }) } }) as never

it('is the other end of the connection, whatever a stranger says', () => {
  const addressOf = createClientAddress([])
  expect(addressOf(from('203.0.113.9', '1.2.3.4'))).toBe('203.0.113.9')
  expect(addressOf(from('::ffff:203.0.113.9'))).toBe('203.0.113.9')
  expect(createClientAddress(['10.0.0.0/8'])(from('203.0.113.9', '1.2.3.4'))).toBe('203.0.113.9')
})

it('is what trusted proxies say, as far as they can know', () => {
  const addressOf = createClientAddress(['10.0.0.0/8', '2001:db8::1'])
  expect(addressOf(from('10.1.2.3', '1.2.3.4'))).toBe('1.2.3.4')
  expect(addressOf(from('::ffff:10.1.2.3', 'made.up, 6.6.6.6, 1.2.3.4, 10.9.9.9'))).toBe('1.2.3.4')
  expect(addressOf(from('2001:db8::1', '2001:db8:1::7'))).toBe('2001:db8:1::7')
  expect(addressOf(from('10.1.2.3', 'nonsense'))).toBe('10.1.2.3')
  expect(addressOf(from('10.1.2.3'))).toBe('10.1.2.3')
})

it.each(['10.0.0.0/33', 'proxy.example', '10.0.0.1/x', ''])('is not guessed from a setting such as %j', (text) => {
  expect(() => createClientAddress([text])).toThrow('neither an address nor a network')
})
