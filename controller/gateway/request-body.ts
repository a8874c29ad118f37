/**
 * Reads a request's body completely before anything is dialled, within the tenant's limit and the gateway's memory. A client that
 * is slow, or goes away, holds up nobody but itself.
 */
import type { IncomingMessage } from 'node:http'
import type { ByteBudget } from './byte-budget.ts'

export type BodyEnd =
  | { readonly kind: 'complete'; readonly pieces: readonly Buffer[]; readonly bytes: number; readonly release: () => void }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'no-memory' }

export function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length']
  return (length !== undefined && length !== '0') || request.headers['transfer-encoding'] !== undefined
}

/** Calls `done` once, or never where the client goes away first. What comes after a refusal is read and thrown away by Node. */
export function readBody(request: IncomingMessage, maxBytes: number, budget: ByteBudget, done: (end: BodyEnd) => void): void {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return done({ kind: 'too-large' })
  let pieces: Buffer[] = []
  let bytes = 0
  let held = 0

  const release = (): void => {
    budget.give(held)
    held = 0
    pieces = []
  }
  const refuse = (kind: 'too-large' | 'no-memory'): void => {
    request.off('data', onData).off('end', onEnd).off('close', release)
    release()
    request.resume()
    done({ kind })
  }
  const onData = (piece: Buffer): void => {
    bytes += piece.length
    if (bytes > maxBytes) return refuse('too-large')
    if (!budget.tryTake(piece.length)) return refuse('no-memory')
    held += piece.length
    pieces.push(piece)
  }
  const onEnd = (): void => {
    request.off('close', release)
    done({ kind: 'complete', pieces, bytes, release })
  }
  request.on('data', onData).on('end', onEnd).on('close', release)
}
