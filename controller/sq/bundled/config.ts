/**
 * The file that `--config` names, and the command line. Reads text, never the disk; never puts a token into a message.
 */

/** From token to the tenant's folder. */
export type TenantMap = ReadonlyMap<string, { readonly name: string; readonly dataDir: string }>

export type ParsedConfig = { readonly kind: 'tenants'; readonly tenants: TenantMap } | { readonly kind: 'invalid'; readonly message: string }

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value)

/** `{"tenants": {"TOKEN": {"name": "…", "data_dir": "…"}}}`; other fields are passed over. */
export function parseConfig(text: string): ParsedConfig {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    // The parser's own message quotes the text around the mistake, which can be a token.
    return { kind: 'invalid', message: 'it is not JSON' }
  }
  if (!isObject(document) || !isObject(document['tenants'])) return { kind: 'invalid', message: 'it has no object "tenants"' }
  const tenants = new Map<string, { name: string; dataDir: string }>()
  for (const [token, tenant] of Object.entries(document['tenants'])) {
    if (!isObject(tenant) || typeof tenant['name'] !== 'string' || typeof tenant['data_dir'] !== 'string') {
      return { kind: 'invalid', message: `entry ${tenants.size + 1} of "tenants" needs the texts "name" and "data_dir"` }
    }
    tenants.set(token, { name: tenant['name'], dataDir: tenant['data_dir'] })
  }
  return { kind: 'tenants', tenants }
}

export type CommandLine =
  | { readonly kind: 'version' }
  | { readonly kind: 'tenants'; readonly port: number; readonly configPath: string }
  | { readonly kind: 'one'; readonly port: number; readonly key: string | undefined; readonly dataDir: string | undefined }
  | { readonly kind: 'wrong'; readonly message: string }

export const USAGE = 'Usage: sq host PORT --config FILE | sq host PORT [--key TOKEN] [--data-dir DIR] | sq version'

const OPTIONS = ['--config', '--key', '--data-dir']

/** Options in any order, unknown ones passed over; `--config` wins over the others. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const [command, portText = '', ...options] = args
  if (command === 'version') return { kind: 'version' }
  if (command !== 'host') return { kind: 'wrong', message: USAGE }
  const port = /^[0-9]{1,5}$/.test(portText) ? Number(portText) : Infinity
  if (port > 65_535) return { kind: 'wrong', message: `PORT must be a number from 0 to 65535.\n${USAGE}` }

  const values: Record<string, string> = {}
  for (let at = 0; at < options.length; at++) {
    const value = options[at + 1]
    if (OPTIONS.includes(options[at]!) && value !== undefined) values[options[at++]!] = value
  }
  const configPath = values['--config']
  if (configPath !== undefined) return { kind: 'tenants', port, configPath }
  if (options.includes('--config')) return { kind: 'wrong', message: `--config requires a path argument\n${USAGE}` }
  return { kind: 'one', port, key: values['--key'], dataDir: values['--data-dir'] }
}
