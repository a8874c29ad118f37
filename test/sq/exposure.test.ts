import { createServer, type AddressInfo } from 'node:net'
import { existsSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { exposedPorts, openToOthers } from '../../controller/sq/exposure.ts'

const line = (local: string, state = '0A'): string => `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 1 1 0000000000000000 100 0 0 10 0\n`

describe('ports open to others', () => {
  test.each([
    ['every address', '00000000:0539', [1337]],
    ['an address of a network', '0101A8C0:0539', [1337]],
    ['every address of IPv6', '00000000000000000000000000000000:0539', [1337]],
    ['loopback', '0100007F:0539', []],
    ['another address of loopback', '3500007F:0539', []],
    ['loopback of IPv6', '00000000000000000000000001000000:0539', []],
    ['loopback as IPv6 writes it', '0000000000000000FFFF00000100007F:0539', []],
    ['an address that only ends as loopback begins', '7F000001:0539', [1337]],
  ])('%s', (_name, local, ports) => {
    expect(exposedPorts(`  sl  local_address rem_address   st\n${line(local)}`)).toEqual(ports)
  })

  test('a connection is no open port', () => {
    expect(exposedPorts(line('00000000:0539', '01'))).toEqual([])
  })

  test.skipIf(!existsSync('/proc/net/tcp'))('are told from real sockets', async () => {
    const open = createServer().listen(0, '0.0.0.0')
    const closed = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => {
      open.close()
      closed.close()
    })
    await Promise.all([open, closed].map((server) => new Promise((resolve) => (server.listening ? resolve(0) : server.once('listening', resolve)))))
    const ports = [open, closed].map((server) => (server.address() as AddressInfo).port)
    expect(await openToOthers(ports)).toEqual([ports[0]])
  })
})
