/**
 * `tenantry export TENANT`: everything that a tenant of a shared SQ has stored, as one archive, in every state of the account and after its
 * file is gone as long as the data is kept. Not counted as the customer's use. Asks the SQ that serves the tenant, phext by phext; reads the
 * folder where none does.
 */
import { createReadStream, createWriteStream } from 'node:fs'
import { access, readdir, rename, rm } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { TenantId } from '../core/specs.ts'
import { phextSizesIn } from '../gateway/phext-sizes.ts'
import { createRouteReader } from '../gateway/route-reader.ts'
import { routesFolder } from '../gateway/sockets.ts'
import type { Manifest } from '../gateway/transfer/archive.ts'
import { writeArchive, type PhextSource } from '../gateway/transfer/archive-writer.ts'
import { createSpools, type OpenSpool } from '../gateway/transfer/spool.ts'
import { settingsOf, UsageError, type Answer, type CliContext } from './context.ts'

interface Place {
  readonly host: string
  readonly port: number
  readonly key: string
}

const ANSWER_TIMEOUT_MS = 60_000
const UNREADABLE = 'Unable to open requested phext '

export async function exportTenant(context: CliContext, tenant: string, options: { out?: string }): Promise<Answer> {
  const { home } = settingsOf(context)
  const folder = await folderOf(home, tenant)
  const file = path.resolve(context.folder, options.out ?? `${tenant}.tar`)
  const source = sourceOf(folder, await placeOf(home, tenant), createSpools(path.join(routesFolder(home), 'spool')))
  const beside = `${file}.part`
  let manifest: Manifest | undefined
  let bytes = 0
  try {
    const archive = writeArchive(source, { tenant, after: undefined, now: context.now, onEnd: (written) => (manifest = written) })
    archive.on('data', (piece) => void (bytes += (piece as Buffer).length))
    await pipeline(archive, createWriteStream(beside, { mode: 0o600 }))
    await rename(beside, file)
  } catch (error) {
    await rm(beside, { force: true })
    throw error
  }
  const { phexts, failed } = manifest!
  const left = failed.map(({ name, reason }) => `Left out: ${JSON.stringify(name)}: ${reason}\n`).join('')
  return { json: { tenant, file, phexts: phexts.length, bytes, failed }, text: `${phexts.length} phexts of ${tenant} are in ${file} (${bytes} bytes).\n${left}` }
}

/** Of the shard that holds, or held, the tenant. */
async function folderOf(home: string, tenant: string): Promise<string> {
  const shards = await readdir(path.join(home, 'sq')).catch(() => [])
  for (const shard of /^[a-z0-9-]+$/.test(tenant) ? shards : []) {
    const folder = path.join(home, 'sq', shard, 'data', tenant)
    if (await access(folder).then(() => true, () => false)) return folder
  }
  throw new UsageError(`Nothing of ${JSON.stringify(tenant)} lies under ${path.join(home, 'sq')}. Only tenants of a shared SQ can be exported here; the data of other products is in the volumes of their containers.`)
}

/** Where the tenant is served now. */
async function placeOf(home: string, tenant: string): Promise<Place | undefined> {
  const quiet = () => undefined
  const routes = createRouteReader(routesFolder(home), { log: { debug: quiet, info: quiet, warn: quiet, error: quiet } })
  await routes.start()
  const route = routes.table?.findTenant(tenant as TenantId)
  await routes.close()
  return route?.state === 'active' && route.upstream !== undefined && route.instanceKey !== undefined ? { ...route.upstream, key: route.instanceKey } : undefined
}

function sourceOf(folder: string, place: Place | undefined, openSpool: OpenSpool): PhextSource {
  return {
    names: async () => (await phextSizesIn(folder).list!()).phexts.keys(),
    async read(name, use) {
      const spool = await openSpool()
      try {
        const pieces: AsyncIterable<Buffer> = (place && (await ask(place, name))) ?? createReadStream(path.join(folder, `${name}.phext`))
        for await (const piece of pieces) await spool.write(piece)
        const text = spool.finish()
        if (text.bytes >= UNREADABLE.length && place !== undefined && (await text.at(0, UNREADABLE.length)).toString() === UNREADABLE) return { kind: 'unreadable', reason: 'it is not text' }
        await use(text)
        return { kind: 'read' }
      } finally {
        await spool.close()
      }
    },
  }
}

/** SQ answers with a text that nobody is writing to. Undefined where no SQ runs: then nobody writes at all. */
function ask({ host, port, key }: Place, name: string): Promise<IncomingMessage | undefined> {
  return new Promise((resolve, reject) => {
    const asked = get({ host, port, path: `/api/v2/get?p=${encodeURIComponent(name)}`, headers: { Authorization: `Bearer ${key}` }, agent: false, timeout: ANSWER_TIMEOUT_MS }, (answer) => {
      if (answer.statusCode === 200) return resolve(answer)
      answer.resume()
      reject(new Error(`SQ did not give the phext ${JSON.stringify(name)}: it answered with ${answer.statusCode}`))
    })
    asked.on('timeout', () => asked.destroy(new Error(`SQ did not give the phext ${JSON.stringify(name)} in time`)))
    asked.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNREFUSED' ? resolve(undefined) : reject(error)))
  })
}
