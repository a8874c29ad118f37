/**
 * What stands before SQ: nothing, nginx, Caddy, `sq route`, our gateway. Each checks the key from a map of all customers and passes
 * requests to the same SQ; each is set up as its makers advise, without logs of requests, on a port of its own.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { findProgram } from '../../support/parts.ts'
import { freePort, startChild, statusOf, type Child } from './children.ts'

export interface FrontOptions {
  /** Of its own. */
  readonly folder: string
  readonly sqPort: number
  readonly keys: readonly string[]
}

export interface Front {
  readonly port: number
  readonly child: Child
}

const PROBE = '/api/v2/version?p=probe'

export type StartFront = (options: FrontOptions) => Promise<Front>

export const startNginx: StartFront = ({ folder, sqPort, keys }) =>
  start('nginx', folder, keys[0]!, (port) => {
    const config = path.join(folder, 'nginx.conf')
    writeFileSync(config, nginxConfig(folder, port, sqPort, keys))
    return ['-p', folder, '-c', config]
  })

function nginxConfig(folder: string, port: number, sqPort: number, keys: readonly string[]): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `  ${name}_temp_path ${path.join(folder, name)};`)
  return `daemon off;
${process.getuid?.() === 0 ? 'user root;\n' : ''}worker_processes auto;
pid ${path.join(folder, 'nginx.pid')};
error_log stderr error;
events { worker_connections 4096; }
http {
${temporary.join('\n')}
  access_log off;
  keepalive_requests 100000000;
  map_hash_bucket_size 128;
  map_hash_max_size 16384;
  map $http_authorization $known {
    default 0;
${keys.map((key) => `    "Bearer ${key}" 1;`).join('\n')}
  }
  server {
    listen 127.0.0.1:${port} backlog=1024;
    location / {
      if ($known = 0) { return 401; }
      proxy_pass http://127.0.0.1:${sqPort};
      proxy_http_version 1.1;
      proxy_set_header Connection close;
    }
  }
}
`
}

export const startCaddy: StartFront = ({ folder, sqPort, keys }) =>
  start('caddy', folder, keys[0]!, (port) => {
    const config = path.join(folder, 'Caddyfile')
    writeFileSync(config, caddyConfig(port, sqPort, keys))
    return ['run', '--config', config, '--adapter', 'caddyfile']
  })

function caddyConfig(port: number, sqPort: number, keys: readonly string[]): string {
  return `{
  admin off
  auto_https off
  log {
    level ERROR
  }
}
http://127.0.0.1:${port} {
  map {header.Authorization} {known} {
${keys.map((key) => `    "Bearer ${key}" 1`).join('\n')}
    default 0
  }
  @known vars {known} 1
  handle @known {
    reverse_proxy 127.0.0.1:${sqPort} {
      transport http {
        keepalive off
      }
    }
  }
  respond 401
}
`
}

export const startRouter: StartFront = ({ folder, sqPort, keys }) =>
  start('sq', folder, keys[0]!, (port) => {
    const config = path.join(folder, 'routes.json')
    writeFileSync(config, JSON.stringify({ tenants: keys.map((token) => ({ token, port: sqPort, data_dir: '' })) }))
    return ['route', config, String(port)]
  })

async function start(name: string, folder: string, key: string, makeArguments: (port: number) => string[]): Promise<Front> {
  const program = findProgram(name)
  if (program === undefined) throw new Error(`There is no ${name}: npm run setup installs it.`)
  mkdirSync(folder, { recursive: true })
  const port = await freePort()
  const environment = { HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder }
  const log = name === 'sq' ? '/dev/null' : path.join(folder, 'log')
  const child = await startChild([program, ...makeArguments(port)], { cwd: folder, log, environment, ready: async () => (await statusOf(port, PROBE, key)) === 200 })
  const unknown = await statusOf(port, PROBE, `${key}x`)
  if (unknown === 401) return { port, child }
  await child.stop()
  throw new Error(`${name} does not check keys: it answers ${unknown} to an unknown one`)
}
