/** The container runtime on Docker, through dockerode: composes the parts of this folder and names every error by what happens next. */
import type { Availability, ContainerRuntime } from '../port.ts'
import type { Engine } from './engine.ts'
import { ensureContainer, inspectContainer, stopAndRemove } from './ensure.ts'
import { ENGINE_FIX, engineError } from './errors.ts'
import { execIn } from './exec.ts'
import { containerName, hasOwnLabels } from './names.ts'
import { removeNetwork } from './network.ts'
import { findByLabel, findContainer, listObserved } from './observe.ts'
import { ReconcileError } from '../../core/outcome.ts'
import { destroyVolumes, removeFilesVolume } from './volumes.ts'
import { watchEngine } from './watch.ts'

const PING_LIMIT_MS = 5_000

/** Nothing is remembered between calls: an engine that was missing is used as soon as it answers. */
export function createDockerRuntime(engine: Engine): ContainerRuntime {
  const { docker, installation } = engine
  return {
    availability: () => askVersion(engine),
    list: () => named('listing containers', listObserved(engine)),
    ensure: (spec) => named(`container ${containerName(installation, spec.name)}`, ensureContainer(engine, spec)),
    inspect: (spec) => named(`inspecting container ${containerName(installation, spec.name)}`, inspectContainer(engine, spec)),
    remove: (name, stopGraceSeconds) => named(`removing container ${containerName(installation, name)}`, removeAll(engine, name, stopGraceSeconds)),
    destroyVolumes: (name) => named(`destroying volumes of ${containerName(installation, name)}`, destroyVolumes(engine, name)),
    async exec(name, command, mostBytes) {
      const doing = `running ${command[0]} in ${containerName(installation, name)}`
      const found = await named(doing, findContainer(engine, name))
      if (found === undefined) throw new ReconcileError({ kind: 'transient' }, 'ContainerMissing', `${doing}: there is no such container`)
      return named(doing, execIn(docker, docker.getContainer(found.Id), command, mostBytes))
    },
    watch: (hint) => watchEngine(engine, hint),
  }
}

async function named<T>(doing: string, done: Promise<T>): Promise<T> {
  try {
    return await done
  } catch (error) {
    throw engineError(error, doing)
  }
}

async function askVersion({ docker }: Engine): Promise<Availability> {
  try {
    const limit = new Promise<never>((_resolve, reject) => setTimeout(() => reject(new Error(`no answer within ${PING_LIMIT_MS} ms`)), PING_LIMIT_MS).unref())
    const { Version: version } = await Promise.race([docker.version(), limit])
    return { kind: 'available', version }
  } catch (error) {
    return { kind: 'missing', reason: `no container engine answers (${error instanceof Error ? error.message : String(error)})`, fix: ENGINE_FIX }
  }
}

async function removeAll(engine: Engine, name: string, graceSeconds: number): Promise<void> {
  for (const { Id: id, Labels: labels } of await findByLabel(engine, name)) {
    if (hasOwnLabels(labels, engine.installation, name)) await stopAndRemove(engine, id, graceSeconds)
  }
  await removeNetwork(engine, name)
  await removeFilesVolume(engine, name)
}
