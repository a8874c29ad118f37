/**
 * How large a tenant's phexts are, asked of its own SQ, for data that does not lie in a folder of this machine. Asks with the key of the
 * latest request, which is kept as long as the tenant's storage is: some minutes after its last call.
 */
import { request } from 'node:http'
import type { PhextSizes } from './phext-sizes.ts'
import type { Upstream } from './route-table.ts'

export interface SqAccess {
  readonly upstream: Upstream
  readonly key: string
}

const ANSWER_TIMEOUT_MS = 5_000
const SIZE_LINE = /^Phext Size: ([0-9]{1,15})$/m

export function phextSizesAsked(access: () => SqAccess): PhextSizes {
  return {
    list: undefined,
    sizeOf: (name) => askSize(access(), name),
    removeExport: () => Promise.resolve(),
  }
}

function askSize({ upstream, key }: SqAccess, name: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const path = `/api/v2/status?p=${encodeURIComponent(name)}`
    const asked = request({ ...upstream, path, headers: { Authorization: `Bearer ${key}`, 'Content-Length': 0 }, agent: false, timeout: ANSWER_TIMEOUT_MS }, (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (part: string) => (text += part))
      answer.on('error', reject)
      answer.on('end', () => {
        const size = SIZE_LINE.exec(text)?.[1]
        if (answer.statusCode === 200 && size !== undefined) resolve(Number(size))
        else reject(new Error(`SQ did not say how large a phext is: ${answer.statusCode}`))
      })
    })
    asked.on('timeout', () => asked.destroy(new Error('SQ did not say in time how large a phext is')))
    asked.on('error', reject)
    asked.end()
  })
}
