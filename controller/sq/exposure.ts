/** Which ports of this machine listen on more than loopback. Reads the kernel's own list and sends nothing. */
import { readFile } from 'node:fs/promises'

const LISTEN = '0A'
const TABLES = ['/proc/net/tcp', '/proc/net/tcp6']
/** How the kernel writes 127.0.0.0/8, ::1 and ::ffff:127.0.0.0/104: each 32-bit word in this machine's byte order. */
const LOOPBACK = /^(?:[0-9A-F]{6}7F|00000000000000000000000001000000|0000000000000000FFFF0000[0-9A-F]{6}7F)$/

/** Those of `ports` that other machines could reach; undefined where this system does not say. */
export async function openToOthers(ports: readonly number[]): Promise<number[] | undefined> {
  const tables = await Promise.all(TABLES.map((file) => readFile(file, 'utf8').catch(() => undefined)))
  if (tables.every((table) => table === undefined)) return undefined
  const open = new Set(tables.flatMap((table) => exposedPorts(table ?? '')))
  return ports.filter((port) => open.has(port))
}

/** Ports that listen on an address other than loopback, from a table in the kernel's format (proc(5), /proc/net/tcp). */
export function exposedPorts(table: string): number[] {
  return table.split('\n').flatMap((line) => {
    const [, address, port, state] = /^\s*\d+:\s+([0-9A-F]+):([0-9A-F]{4})\s+\S+\s+([0-9A-F]{2})\s/.exec(line) ?? []
    return address === undefined || port === undefined || state !== LISTEN || LOOPBACK.test(address) ? [] : [parseInt(port, 16)]
  })
}
