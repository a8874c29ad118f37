/** A log that remembers, so that tests can see what was said, and that nothing was that must not be. */
import type { Log } from '../../../hooks/stripe/ports.ts'

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error'
  readonly data: object
  readonly message: string
}

export function createLogDouble(): Log & { readonly lines: LogLine[] } {
  const lines: LogLine[] = []
  const at = (level: LogLine['level']) => (data: object, message: string) => void lines.push({ level, data, message })
  return { lines, info: at('info'), warn: at('warn'), error: at('error') }
}
