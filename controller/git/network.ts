/**
 * What goes over the network: fetch, push and a look at a remote branch, through simple-git, whose guards refuse options and
 * settings that nobody asked for. Credentials go to git by a credential helper that reads the environment.
 */
import { simpleGit, type SimpleGit } from 'simple-git'
import type { CommitId } from '../core/specs.ts'
import { GitError, gitEnvironment, SETTINGS, type Environment } from './git-command.ts'
import { ALLOWED_PROTOCOLS, redact, type Location } from './location.ts'

export interface Remote {
  /** Brings `refs/heads/BRANCH` to `ref`, forced: the remote is the truth. */
  fetch(branch: string, ref: string): Promise<void>
  /** Moves the remote branch from `parent` to `commit`, or fails. */
  push(branch: string, commit: CommitId, parent: CommitId): Promise<void>
  /** False only where the remote answered and has no such branch. */
  hasBranch(branch: string): Promise<boolean>
}

export interface RemoteOptions {
  /** The mirror, which must exist. */
  readonly folder: string
  readonly location: Extract<Location, { kind: 'remote' }>
  readonly environment: Environment
  readonly timeoutMs: number
}

const CREDENTIAL_HELPER = '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "$TENANTRY_GIT_USERNAME" "$TENANTRY_GIT_PASSWORD"; }; f'

export function createRemote(options: RemoteOptions): Remote {
  const { url } = options.location
  const git = networkGit(options)

  async function raw(args: string[]): Promise<string> {
    try {
      return await git().raw(args)
    } catch (cause) {
      const reason = redact(cause instanceof Error ? cause.message.trim() : String(cause))
      throw new GitError(`git ${args[0]} with ${url} failed: ${reason}`, undefined)
    }
  }

  return {
    async fetch(branch, ref) {
      await raw(['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', '--no-recurse-submodules', '--', url, `+refs/heads/${branch}:${ref}`])
    },
    async push(branch, commit, parent) {
      // The lease is the compare-and-swap; the commit's only parent is `parent`, so nothing but a fast-forward passes it.
      const lease = `--force-with-lease=refs/heads/${branch}:${parent}`
      await raw(['push', '--quiet', '--no-verify', '--no-signed', '--no-follow-tags', '--recurse-submodules=no', lease, '--', url, `${commit}:refs/heads/${branch}`])
    },
    async hasBranch(branch) {
      return (await raw(['ls-remote', '--', url, `refs/heads/${branch}`])).trim() !== ''
    },
  }
}

/** Made at each use: simple-git insists on a folder that exists, and a mirror can be made anew. */
function networkGit({ folder, location, environment, timeoutMs }: RemoteOptions): () => SimpleGit {
  const { credentials } = location
  const env = {
    ...gitEnvironment(environment),
    GIT_DIR: folder,
    GIT_ALLOW_PROTOCOL: ALLOWED_PROTOCOLS,
    ...(credentials === undefined ? {} : { TENANTRY_GIT_USERNAME: credentials.username, TENANTRY_GIT_PASSWORD: credentials.password }),
  }
  const helper = credentials === undefined ? [] : ['credential.helper=', `credential.helper=${CREDENTIAL_HELPER}`]
  // git's HTTP helper outlives a git that is killed, so a silent server is given up by the helper itself, and earlier.
  const silenceSeconds = Math.max(1, Math.round(timeoutMs / 4000))
  return () =>
    simpleGit({
      baseDir: folder,
      config: [...SETTINGS, 'http.lowSpeedLimit=1', `http.lowSpeedTime=${silenceSeconds}`, ...helper],
      // Every one of these is set above, by us, and by nobody else: settings and environment are made from constants.
      unsafe: { allowUnsafeHooksPath: true, allowUnsafeCredentialHelper: true, allowUnsafeSshCommand: true, allowUnsafeAskPass: true },
      allowEnvironment: Object.keys(env),
      // All commands are quiet, so this bounds their whole time.
      timeout: { block: timeoutMs },
    }).env(env)
}
