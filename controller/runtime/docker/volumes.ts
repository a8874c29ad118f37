/** Volumes by name and label. They are made along with their container (request.ts), outlive it, and are destroyed only on demand. */
import type Docker from 'dockerode'
import type { ContainerSpec } from '../../core/container.ts'
import type { Engine } from './engine.ts'
import { nameTaken, orAbsent, statusOf } from './errors.ts'
import { ReconcileError } from '../../core/outcome.ts'
import { containerName, FILES_VOLUME, hasOwnLabels, LABEL, labelFilter, ownLabels, volumeName } from './names.ts'

/** The engine would mount a volume of the same name without a word, whoever's data it holds. */
export async function refuseForeignVolumes({ docker, installation }: Engine, spec: ContainerSpec): Promise<void> {
  const names = new Set([...spec.volumes.map(({ name }) => name), FILES_VOLUME].map((volume) => volumeName(installation, spec.name, volume)))
  const found = await list(docker, { name: [containerName(installation, spec.name)] })
  const foreign = found.find(({ Name: name, Labels: labels }) => names.has(name) && !hasOwnLabels(labels, installation, spec.name))
  if (foreign !== undefined) throw nameTaken('volume', foreign.Name)
}

/** The volume of rendered secrets goes with its container. */
export async function removeFilesVolume({ docker, installation }: Engine, name: string): Promise<void> {
  const volume = docker.getVolume(volumeName(installation, name, FILES_VOLUME))
  const found = await orAbsent(volume.inspect())
  if (found !== undefined && hasOwnLabels(found.Labels, installation, name)) await orAbsent(volume.remove())
}

/** Removes every volume that was made for `name`. */
export async function destroyVolumes({ docker, installation }: Engine, name: string): Promise<void> {
  const found = await list(docker, { label: labelFilter(ownLabels(installation, name)) })
  for (const { Name: volume, Labels: labels } of found) {
    if (volume !== volumeName(installation, name, labels?.[LABEL.volume] ?? '')) continue
    await orAbsent(docker.getVolume(volume).remove()).catch((error: unknown) => {
      if (statusOf(error) !== 409) throw error
      throw new ReconcileError({ kind: 'transient' }, 'VolumeInUse', `the volume ${volume} is in use by a container; remove the container first`, { cause: error })
    })
  }
}

async function list(docker: Docker, filters: Record<string, string[]>): Promise<Docker.VolumeInspectInfo[]> {
  const { Volumes: volumes } = await docker.listVolumes({ filters: JSON.stringify(filters) })
  return (volumes as Docker.VolumeInspectInfo[] | null) ?? []
}
