/**
 * `tenantry export TENANT`: everything that a tenant has stored in SQ, as one archive. Of a shared SQ in every state of the account and after
 * its file is gone as long as the data is kept; of an SQ of its own while that runs. Not counted as the customer's use. Asks the SQ that serves
 * the tenant, phext by phext; reads the folder where none does.
 */
import { createReadStream, createWriteStream } from 'node:fs'
import { access, readdir, rename, rm } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { TenantId } from '../core/specs.ts'
import { phextSizesIn } from '../gateway/phext-sizes.ts'
import { createRouteReader } from '../gateway/route-reader.ts'
import { routesFolder, webSocketPath } from '../gateway/sockets.ts'
import type { Manifest } from '../gateway/transfer/archive.ts'
import { writeArchive, type PhextSource } from '../gateway/transfer/archive-writer.ts'
import { askPhexts } from '../gateway/transfer/phexts-asked.ts'
import { createSpools, type OpenSpool } from '../gateway/transfer/spool.ts'
import { speaksSq } from '../gateway/upstream-head.ts'
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
  const place = await placeOf(home, tenant)
  const folder = await folderOf(home, tenant)
  if (folder === undefined && place === undefined) throw nothingOf(tenant, home)
  const file = path.resolve(context.folder, options.out ?? `${tenant}.tar`)
  const listed = async (): Promise<Iterable<string>> => (folder === undefined ? await namesInContainer(home, tenant) : (await phextSizesIn(folder).list!()).phexts.keys())
  const source = sourceOf(listed, folder, place, createSpools(path.join(routesFolder(home), 'spool')))
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
async function folderOf(home: string, tenant: string): Promise<string | undefined> {
  const shards = await readdir(path.join(home, 'sq')).catch(() => [])
  for (const shard of /^[a-z0-9-]+$/.test(tenant) ? shards : []) {
    const folder = path.join(home, 'sq', shard, 'data', tenant)
    if (await access(folder).then(() => true, () => false)) return folder
  }
  return undefined
}

function nothingOf(tenant: string, home: string): UsageError {
  return new UsageError(`Nothing of ${JSON.stringify(tenant)} lies under ${path.join(home, 'sq')}, and no SQ of its own is served. The data of an account that is not served, and of other products, is in the volumes of their containers.`)
}

/** The controller looks into the container. */
async function namesInContainer(home: string, tenant: string): Promise<readonly string[]> {
  const asked = await askPhexts(webSocketPath(home), tenant)
  if (asked.kind === 'listed') return asked.names
  if (asked.kind === 'unlisted') throw nothingOf(tenant, home)
  throw new UsageError(`The phexts of ${JSON.stringify(tenant)} lie in a container that only a running controller can look into, and none answers, or it could not look. Start it with \`tenantry up\`, see its log, and try again.`)
}

/** Where the tenant is served now. */
async function placeOf(home: string, tenant: string): Promise<Place | undefined> {
  const quiet = () => undefined
  const routes = createRouteReader(routesFolder(home), { log: { debug: quiet, info: quiet, warn: quiet, error: quiet } })
  await routes.start()
  const route = routes.table?.findTenant(tenant as TenantId)
  await routes.close()
  return route?.state === 'active' && speaksSq(route.api) && route.upstream !== undefined && route.instanceKey !== undefined ? { ...route.upstream, key: route.instanceKey } : undefined
}

function sourceOf(names: PhextSource['names'], folder: string | undefined, place: Place | undefined, openSpool: OpenSpool): PhextSource {
  return {
    names,
    async read(name, use) {
      const spool = await openSpool()
      try {
        const pieces = (place && (await ask(place, name))) ?? (folder === undefined ? undefined : (createReadStream(path.join(folder, `${name}.phext`)) as AsyncIterable<Buffer>))
        if (pieces === undefined) throw new Error('The container\'s SQ does not answer: try again when `tenantry status` says that it is ready')
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
