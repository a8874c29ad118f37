/** One shard's running SQ, on whichever engine: what the shard logic needs of it. Implemented by runtime/process/ and by container-instance.ts. */
import type { FieldDrift } from '../core/container.ts'
import type { ShardName } from '../core/placement.ts'

export interface RunningSq {
  /** On 127.0.0.1. */
  readonly port: number
  /** `none`: it ran already. `adopted`: it ran before this controller did. */
  readonly action: 'none' | 'adopted' | 'started'
  readonly drift: readonly FieldDrift[]
}

export interface SqInstances {
  /** Makes sure that the shard's SQ runs with the shard's files. Throws ReconcileError while it may not be started again yet. */
  ensure(shard: ShardName): Promise<RunningSq>
  /** Asks it to read its configuration again; the answer says only that it was asked. */
  reload(shard: ShardName, port: number): Promise<void>
  restart(shard: ShardName): Promise<RunningSq>
  stop(shard: ShardName): Promise<void>
  /** Whether it is known to run, without asking anybody: for the quick path. */
  isUp(shard: ShardName): boolean
}
