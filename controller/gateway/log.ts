/** The part of pino that the gateway uses. Keys, query strings and bodies never go into a field. */
import type { Logger } from 'pino'

export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>
