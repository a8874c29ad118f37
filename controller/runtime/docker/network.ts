/** One bridge network for each container, so that no container reaches another's on any layer. */
import { engineError, nameTaken, orAbsent, statusOf } from './errors.ts'
import type { Engine } from './engine.ts'
import { containerName, hasOwnLabels, ownLabels } from './names.ts'

/** Makes the network, or takes over the one that is there and ours. */
export async function ensureNetwork({ docker, installation }: Engine, name: string): Promise<void> {
  const network = containerName(installation, name)
  try {
    // Masquerading stays on: an internal network could publish no ports.
    await docker.createNetwork({ Name: network, Driver: 'bridge', CheckDuplicate: true, Labels: { ...ownLabels(installation, name) } })
  } catch (error) {
    if (statusOf(error) !== 409) throw engineError(error, `making the network ${network}`)
    const found = await docker.getNetwork(network).inspect()
    if (!hasOwnLabels(found.Labels, installation, name)) throw nameTaken('network', network)
  }
}

export async function removeNetwork({ docker, installation }: Engine, name: string): Promise<void> {
  const network = docker.getNetwork(containerName(installation, name))
  const found = await orAbsent(network.inspect())
  if (found !== undefined && hasOwnLabels(found.Labels, installation, name)) await orAbsent(network.remove())
}
