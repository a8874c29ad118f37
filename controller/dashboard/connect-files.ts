/** Set-ups for programs with a key filled in, as files to be saved. Made from the guide's own examples, which a test runs. */
import type { ApiKey } from '../core/keys.ts'
import { guideExamples, KEY_PLACEHOLDER } from '../web/pages/guide-examples.ts'

export const CONNECT_FILES = {
  openclaw: { name: 'config.yaml', type: 'text/yaml; charset=utf-8' },
  mcp: { name: 'mcp.json', type: 'application/json; charset=utf-8' },
} as const

export type ConnectFile = keyof typeof CONNECT_FILES

export function isConnectFile(name: string): name is ConnectFile {
  return Object.hasOwn(CONNECT_FILES, name)
}

/** The file's text. A secret, where a key is given. */
export function connectFile(file: ConnectFile, endpoint: string, key?: ApiKey): string {
  const { code } = exampleOf(file, endpoint)
  return key === undefined ? code : code.replaceAll(KEY_PLACEHOLDER, key)
}

export function exampleOf(id: ConnectFile | 'curl', endpoint: string): { readonly before: string; readonly code: string; readonly after?: string; readonly language: string } {
  return guideExamples(endpoint).find((example) => example.id === id)!
}
