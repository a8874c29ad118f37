/** Where a request comes from: the connection's other end, or what a trusted proxy there says. Anybody else's `X-Forwarded-For` is not believed. */
import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'

export type ClientAddress = (request: IncomingMessage) => string

/** `trusted`: addresses and networks, such as `10.0.0.0/8`. @throws on what is neither. */
export function createClientAddress(trusted: readonly string[]): ClientAddress {
  const proxies = new BlockList()
  for (const each of trusted) add(proxies, each)
  const isTrusted = (address: string): boolean => proxies.check(address, address.includes(':') ? 'ipv6' : 'ipv4')

  return (request) => {
    const address = plain(request.socket.remoteAddress ?? '')
    const forwarded = request.headers['x-forwarded-for']
    if (trusted.length === 0 || typeof forwarded !== 'string' || isIP(address) === 0 || !isTrusted(address)) return address
    // From the right: each proxy adds whom it got the request from, and what stands before the first that is not ours may be made up.
    const hops = forwarded.split(',').map((hop) => plain(hop.trim()))
    let nearest = address
    for (let hop = hops.pop(); hop !== undefined && isIP(hop) !== 0; hop = hops.pop()) {
      nearest = hop
      if (!isTrusted(hop)) break
    }
    return nearest
  }
}

function add(proxies: BlockList, text: string): void {
  const [address = '', bits] = text.split('/')
  const family = isIP(address)
  const most = family === 4 ? 32 : 128
  if (family === 0 || (bits !== undefined && (!/^\d{1,3}$/.test(bits) || Number(bits) > most))) throw new Error(`"${text}" is neither an address nor a network such as 10.0.0.0/8`)
  proxies.addSubnet(address, bits === undefined ? most : Number(bits), family === 4 ? 'ipv4' : 'ipv6')
}

/** An address of IPv4 that came over IPv6. */
function plain(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
