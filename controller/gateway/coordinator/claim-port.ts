/** Finds out whether a port is free before several listen on it side by side, and which one where any free one will do. */
import { createServer, type AddressInfo } from 'node:net'

/** @throws where somebody else listens there. */
export function claimPort(host: string, port: number): Promise<number> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, exclusive: true }, () => {
      const { port: found } = server.address() as AddressInfo
      server.close(() => resolve(found))
    })
  })
}
