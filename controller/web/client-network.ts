/** From where a request comes, as the gateway says it, and which addresses are one client's. */
import type { FastifyRequest } from 'fastify'

/** As the gateway says, which lets nobody else say it. Without one, somebody asks who may use the socket. */
export function addressOf({ headers }: Pick<FastifyRequest, 'headers'>): string {
  const forwarded = headers['x-forwarded-for']
  return typeof forwarded === 'string' ? forwarded : 'local'
}

/** Whoever has one address of IPv6 has all of its network. */
export function networkOf(address: string): string {
  return firstGroups(address, 4)
}

/** For what is given away: who has one network of IPv6 has easily all 65,536 of a site (RFC 6177), by a tunnel for nothing. */
export function siteOf(address: string): string {
  return firstGroups(address, 3)
}

function firstGroups(address: string, groups: number): string {
  if (!address.includes(':')) return address
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  return mapped ?? expanded(address).slice(0, groups).join(':')
}

function expanded(address: string): string[] {
  const [head = '', tail = ''] = address.split('::')
  const before = head.split(':').filter((part) => part !== '')
  const after = tail.split(':').filter((part) => part !== '')
  const groups = [...before, ...Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0'), ...after]
  return groups.map((group) => group.replace(/^0+(?=.)/, '').toLowerCase())
}
