/**
 * What is in each image, as data: programs of this machine, files of this folder, and how it starts. The conductor and
 * contextlite images are STAND-INS: their real programs are other people's; these only behave alike enough to be run.
 */
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'

export type ImageName = 'sq' | 'conductor' | 'contextlite'

/** A program that is copied to `to` with the shared libraries it needs; `from` lists where it may be. */
export interface Program {
  readonly from: readonly string[]
  readonly to: string
  /** The command that installs it. */
  readonly install: string
}

export interface Recipe {
  readonly tag: string
  readonly programs: readonly Program[]
  /** Files of this folder, by their path in the image. */
  readonly files: Readonly<Record<string, string>>
  /** Texts, by their path in the image. */
  readonly texts: Readonly<Record<string, string>>
  /** Dockerfile instructions for `docker import --change`. */
  readonly changes: readonly string[]
}

const FOLDER = import.meta.dirname
const ROOT = path.join(FOLDER, '../..')

const onPath = (name: string): string[] =>
  [...(process.env['PATH'] ?? '').split(path.delimiter), path.join(homedir(), '.cargo/bin'), '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'].map((folder) =>
    path.join(folder, name),
  )

/** A static one, so that it runs without any library; it is the shell, and wget for the health check and for reloading. */
const busybox: Program = { from: onPath('busybox'), to: '/bin/busybox', install: 'apt-get install busybox-static' }

const users = (...lines: readonly string[]): Record<string, string> => ({
  '/etc/passwd': `${['root:x:0:0:root:/root:/bin/sh', ...lines].join('\n')}\n`,
  '/etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
})

const sshd = 'apt-get install openssh-server'
/** From OpenSSH 9.8 on, sshd runs each connection in programs of their own. */
const sshdParts = ['sshd-session', 'sshd-auth'].map((name) => `/usr/lib/openssh/${name}`).filter((file) => existsSync(file))

const PATH_VARIABLE = 'ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/bin'

export const RECIPES: Readonly<Record<ImageName, Recipe>> = {
  sq: {
    tag: 'tenantry/sq:0.6.0',
    programs: [busybox, { from: [process.env['SQ_BIN'] ?? '', ...onPath('sq')], to: '/usr/local/bin/sq', install: 'cargo install sq --version 0.6.0' }],
    files: {},
    texts: { ...users('sq:x:1000:1000:sq:/data:/bin/sh'), '/etc/group': 'root:x:0:\nsq:x:1000:\n' },
    // SQ makes a folder `.sq` where it is started: mount a tmpfs at /tmp.
    changes: [PATH_VARIABLE, 'WORKDIR /tmp', 'USER 1000:1000'],
  },
  conductor: {
    tag: 'tenantry/conductor:stub',
    programs: [
      busybox,
      { from: onPath('sshd'), to: '/usr/sbin/sshd', install: sshd },
      ...sshdParts.map((file) => ({ from: [file], to: file, install: sshd })),
      { from: onPath('ssh-keygen'), to: '/usr/bin/ssh-keygen', install: sshd },
    ],
    files: { '/usr/local/bin/conductor': path.join(FOLDER, 'conductor/start.sh'), '/etc/ssh/sshd_config': path.join(FOLDER, 'conductor/sshd_config') },
    texts: {
      ...users('sshd:x:100:65534::/run/sshd:/bin/false', 'conductor:x:1000:1000:Conductor:/data/home:/bin/sh'),
      '/etc/group': 'root:x:0:\nnogroup:x:65534:\nconductor:x:1000:\ntty:x:5:\n',
      // `*` is no password at all; `!` would lock the account for keys too.
      '/etc/shadow': 'root:*:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\nconductor:*:19000:0:99999:7:::\n',
      '/etc/shells': '/bin/sh\n',
      '/srv/health/index.html': 'ok\n',
      '/srv/health/healthz': 'ok\n',
      '/run/sshd/.keep': '',
    },
    changes: [PATH_VARIABLE, 'WORKDIR /', 'CMD ["/usr/local/bin/conductor"]'],
  },
  contextlite: {
    tag: 'tenantry/contextlite:stub',
    programs: [busybox, { from: [path.join(ROOT, 'node_modules/node/bin/node'), process.execPath], to: '/usr/local/bin/node', install: 'npm ci' }],
    files: { '/srv/server.mjs': path.join(FOLDER, 'contextlite/server.mjs') },
    texts: { ...users('contextlite:x:1000:1000:ContextLite:/data:/bin/sh'), '/etc/group': 'root:x:0:\ncontextlite:x:1000:\n' },
    changes: [PATH_VARIABLE, 'WORKDIR /data', 'USER 1000:1000', 'CMD ["node", "/srv/server.mjs"]'],
  },
}
