/**
 * How an API key is written: `pmb-v1-`, 32 hex digits (128 bits), 8 hex digits of CRC-32 over all that precedes them. The checksum
 * lets a scanner and the gateway refuse a mistyped key without a look-up; it proves nothing. Never log a key: log `maskKey`.
 */

const PREFIX = 'pmb-v1-'
const BITS_END = PREFIX.length + 32
const KEY_SHAPE = /^pmb-v1-[0-9a-f]{40}$/
const BITS_SHAPE = /^[0-9a-f]{32}$/

/** CRC-32 as in ISO 3309 and zlib (reflected polynomial 0xEDB88320), one table entry for each byte. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  return crc
})

/** The key for 128 bits given as 32 lower-case hex digits. Throws on anything else. */
export function formatKey(bits: string): string {
  if (!BITS_SHAPE.test(bits)) throw new Error('A key is made from exactly 32 lower-case hex digits.')
  const start = PREFIX + bits
  return start + checksum(start, start.length)
}

/** Whether `text` has the shape of a key and its checksum fits. Says nothing about whether it opens anything. */
export function isWellFormedKey(text: string): boolean {
  return KEY_SHAPE.test(text) && checksum(text, BITS_END) === text.slice(BITS_END)
}

/** What may be shown and logged of a key: `pmb-v1-` with the first four and the last four characters after it. Of other texts, nothing. */
export function maskKey(text: string): string {
  return KEY_SHAPE.test(text) ? `${PREFIX}${text.slice(PREFIX.length, PREFIX.length + 4)}…${text.slice(-4)}` : '…'
}

/** CRC-32 over the first `length` characters of an ASCII text, as 8 hex digits. */
function checksum(text: string, length: number): string {
  let crc = 0xffffffff
  for (let i = 0; i < length; i++) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ text.charCodeAt(i)) & 0xff]!
  return ((crc ^ 0xffffffff) >>> 0).toString(16).padStart(8, '0')
}
