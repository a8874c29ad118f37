/**
 * Makes one container as its spec says, whatever is there. Each step can be the last one before a crash: what is half made is
 * taken over or cleaned up by the next call. Nothing wrong means no changing call. A replacement keeps the volumes.
 */
import type Docker from 'dockerode'
import type { ContainerSpec, FieldDrift } from '../../core/container.ts'
import { ReconcileError } from '../../core/outcome.ts'
import type { Ensured } from '../port.ts'
import { findDrift, UNLIMITED, type Deviation, type Repair } from './drift.ts'
import type { Engine } from './engine.ts'
import { imageMissing, nameTaken, orAbsent, statusOf } from './errors.ts'
import { execIn } from './exec.ts'
import { filesDrift, markApplied, resolveOwner, writeFiles } from './files.ts'
import { containerName, hasOwnLabels, successorName } from './names.ts'
import { ensureNetwork } from './network.ts'
import { findContainer, observedFromInspect } from './observe.ts'
import { createRequest, liveSettings, PROBE_CANNOT_RUN } from './request.ts'
import { refuseForeignVolumes } from './volumes.ts'

type Action = Ensured['action']

/** What is there now. */
interface Seen {
  readonly image: Docker.ImageInspectInfo | undefined
  readonly container: Docker.ContainerInspectInfo | undefined
}

type Found = Docker.ContainerInspectInfo

export async function ensureContainer(engine: Engine, spec: ContainerSpec): Promise<Ensured> {
  const seen = await look(engine, spec)
  if (seen.container === undefined) {
    const container = await create(engine, spec, seen, containerName(engine.installation, spec.name))
    await writeFilesBeforeStart(engine, spec, container, seen)
    await container.start()
    return { observed: observedFromInspect(await container.inspect()), action: 'created', drift: [] }
  }
  const deviations = await deviationsOf(engine, spec, seen.image, seen.container)
  if (deviations.length === 0) return { observed: observedFromInspect(seen.container), action: 'none', drift: [] }
  refuseUnrepairable(spec, seen.container, deviations)
  const action = await repair(engine, spec, seen, seen.container, deviations)
  const after = await engine.docker.getContainer(containerName(engine.installation, spec.name)).inspect()
  return { observed: observedFromInspect(after), action, drift: deviations.map(withoutRepair) }
}

/** Only tells what is wrong; throws where there is nothing that a container could be made from. */
export async function inspectContainer(engine: Engine, spec: ContainerSpec): Promise<readonly FieldDrift[]> {
  const { image, container } = await look(engine, spec)
  if (container === undefined && image === undefined) throw imageMissing(spec.image)
  if (container === undefined) return [{ field: 'container', wanted: 'present', found: 'absent' }]
  return (await deviationsOf(engine, spec, image, container)).map(withoutRepair)
}

const withoutRepair = ({ field, wanted, found }: Deviation): FieldDrift => ({ field, wanted, found })

async function look(engine: Engine, spec: ContainerSpec): Promise<Seen> {
  const [container, image] = await Promise.all([findContainer(engine, spec.name), orAbsent(engine.docker.getImage(spec.image).inspect())])
  return { container, image }
}

async function deviationsOf({ docker, installation }: Engine, spec: ContainerSpec, image: Seen['image'], found: Found): Promise<readonly Deviation[]> {
  const wanted = { name: containerName(installation, spec.name), request: createRequest(spec, installation), image }
  const drift = await withoutImpossible(docker, findDrift(wanted, found))
  // A replacement is given its files anyway; and the old one may have no place for them.
  if (spec.files.length === 0 || drift.some(({ repair: how }) => how === 'replace')) return drift
  const container = docker.getContainer(found.Id)
  return [...drift, ...(await filesDrift(container, spec.files, await resolveOwner(container, found.Config.User)))]
}

/** A kernel that cannot limit swap leaves it unlimited whatever is asked: no drift, or every pass would repair it again. */
async function withoutImpossible(docker: Docker, drift: readonly Deviation[]): Promise<readonly Deviation[]> {
  const isSwap = ({ field, found }: Deviation) => field === 'memoryAndSwapMb' && found === UNLIMITED
  if (!drift.some(isSwap)) return drift
  const { SwapLimit: canLimitSwap } = (await docker.info()) as { SwapLimit: boolean }
  return canLimitSwap ? drift : drift.filter((deviation) => !isSwap(deviation))
}

/** What trying again would not mend: said instead of repaired. */
export function refuseUnrepairable(spec: ContainerSpec, found: Found, deviations: readonly Deviation[]): void {
  const repairs = repairsOf(deviations)
  if (repairs.has('replace')) return
  const probe = found.State.Health?.Log?.at(-1)
  if (repairs.has('restart') && probe && PROBE_CANNOT_RUN.includes(probe.ExitCode)) {
    throw new ReconcileError({ kind: 'stalled' }, 'HealthProbeMissing', `the health check cannot run in ${spec.image}: the image needs sh, and wget or curl. Add them to the image.`)
  }
  if (repairs.size === 1 && repairs.has('wait')) {
    const { ExitCode: code } = found.State
    const meaning = code === 127 ? ': there is no such program in the image' : code === 137 ? ': killed, often for want of memory' : ''
    throw new ReconcileError({ kind: 'transient' }, 'CrashLoop', `${found.Name.slice(1)} ends again and again (exit code ${code}${meaning}; ${found.RestartCount} restarts). See: docker logs ${found.Name.slice(1)}`)
  }
}

const repairsOf = (deviations: readonly Deviation[]): ReadonlySet<Repair> => new Set(deviations.map(({ repair: how }) => how))

async function create(engine: Engine, spec: ContainerSpec, seen: Seen, name: string): Promise<Docker.Container> {
  if (seen.image === undefined) throw imageMissing(spec.image)
  await Promise.all([ensureNetwork(engine, spec.name), refuseForeignVolumes(engine, spec)])
  const request = { ...createRequest(spec, engine.installation), name }
  try {
    return await engine.docker.createContainer(request)
  } catch (error) {
    if (statusOf(error) !== 409) throw error
    await removeUnstarted(engine, spec, name)
    return engine.docker.createContainer(request)
  }
}

/** A container of this name that was made and never started is what a crash left behind. */
async function removeUnstarted({ docker, installation }: Engine, spec: ContainerSpec, name: string): Promise<void> {
  const container = docker.getContainer(name)
  const found = await orAbsent(container.inspect())
  if (found === undefined) return
  if (!hasOwnLabels(found.Config.Labels, installation, spec.name) || found.State.Status !== 'created') throw nameTaken('container', name)
  await orAbsent(container.remove({ v: true }))
}

async function writeFilesBeforeStart({ now }: Engine, spec: ContainerSpec, container: Docker.Container, { image }: Seen): Promise<void> {
  if (spec.files.length === 0) return
  const owner = await resolveOwner(container, spec.user ?? image?.Config.User ?? '')
  await writeFiles(container, spec.files, owner, { applied: true, now: now() })
}

async function repair(engine: Engine, spec: ContainerSpec, seen: Seen, found: Found, deviations: readonly Deviation[]): Promise<Action> {
  const repairs = repairsOf(deviations)
  if (repairs.has('replace')) return replace(engine, spec, seen, found)
  const container = engine.docker.getContainer(found.Id)
  if (repairs.has('rename')) await container.rename({ name: containerName(engine.installation, spec.name) })
  // An engine may refuse, for one, a memory limit below what is in use: then a new container has to begin with it.
  if (repairs.has('update') && !(await succeeds(container.update(liveSettings(spec))))) return replace(engine, spec, seen, found)
  await repairNetworks(engine, spec, found, deviations)
  if (repairs.has('unpause')) await container.unpause()
  const files = repairs.has('files') ? await repairFiles(engine, spec, found) : undefined
  if (repairs.has('restart') && files !== 'started') await container.restart({ t: spec.stopGraceSeconds })
  // A stopped container remembers its network by id: one that was made anew is another.
  if (repairs.has('start') && !(await startUnlessNetworkGone(container))) return replace(engine, spec, seen, found)
  if (repairs.has('start') || repairs.has('restart') || repairs.has('unpause')) return 'started'
  return files ?? 'updated'
}

/** False where the engine refused; an engine that does not answer is an error. */
async function succeeds(asked: Promise<unknown>): Promise<boolean> {
  try {
    await asked
    return true
  } catch (error) {
    if (statusOf(error) === undefined) throw error
    return false
  }
}

async function startUnlessNetworkGone(container: Docker.Container): Promise<boolean> {
  try {
    await container.start().catch(ignoreUnchanged)
    return true
  } catch (error) {
    if (statusOf(error) === 404 && /network/i.test(String(error))) return false
    throw error
  }
}

async function repairNetworks(engine: Engine, spec: ContainerSpec, found: Found, deviations: readonly Deviation[]): Promise<void> {
  const own = containerName(engine.installation, spec.name)
  for (const { repair: how, field } of deviations) {
    if (how === 'disconnect') await engine.docker.getNetwork(field.slice('network/'.length)).disconnect({ Container: found.Id })
    if (how !== 'connect') continue
    await ensureNetwork(engine, spec.name)
    await engine.docker.getNetwork(own).connect({ Container: found.Id })
  }
}

async function repairFiles({ docker, now }: Engine, spec: ContainerSpec, found: Found): Promise<'reloaded' | 'started' | undefined> {
  const container = docker.getContainer(found.Id)
  const owner = await resolveOwner(container, found.Config.User)
  const write = (applied: boolean) => writeFiles(container, spec.files, owner, { applied, now: now() })
  if (!found.State.Running || found.State.Restarting) {
    await write(true)
    return undefined
  }
  if (spec.reload === undefined) {
    await container.stop({ t: spec.stopGraceSeconds }).catch(ignoreUnchanged)
    await write(true)
    await container.start().catch(ignoreUnchanged)
    return 'started'
  }
  await write(false)
  const { exitCode } = await execIn(docker, container, spec.reload)
  // Its output may quote what it read, so it is not passed on.
  if (exitCode !== 0) throw new ReconcileError({ kind: 'transient' }, 'ReloadFailed', `the reload command of ${spec.product} ended with exit code ${exitCode} in ${found.Name.slice(1)}`)
  await markApplied(container, spec.files, owner, now())
  return 'reloaded'
}

/** The new one is made before the old one stops, so that a spec that the engine refuses stops nothing. */
async function replace(engine: Engine, spec: ContainerSpec, seen: Seen, found: Found): Promise<'replaced'> {
  const container = await create(engine, spec, seen, successorName(engine.installation, spec.name))
  await stopAndRemove(engine, found.Id, spec.stopGraceSeconds)
  await writeFilesBeforeStart(engine, spec, container, seen)
  await container.rename({ name: containerName(engine.installation, spec.name) })
  await container.start()
  return 'replaced'
}

/** Named volumes stay; only anonymous ones, which an image may declare, go with their container. */
export async function stopAndRemove({ docker }: Engine, id: string, graceSeconds: number): Promise<void> {
  const container = docker.getContainer(id)
  const found = await orAbsent(container.inspect())
  if (found === undefined) return
  // A paused program could not end in time.
  if (found.State.Paused) await container.unpause()
  if (found.State.Running) await container.stop({ t: graceSeconds }).catch(ignoreUnchanged)
  await orAbsent(container.remove({ v: true, force: true }))
}

/** 304: it had already started or stopped by itself. */
function ignoreUnchanged(error: unknown): void {
  if (statusOf(error) !== 304) throw error
}
