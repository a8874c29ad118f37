/**
 * The few text rules of Rust's standard library that differ from JavaScript's and show in SQ's answers.
 * Nothing here knows of phexts or HTTP.
 */

const LOSSY = new TextDecoder('utf-8', { ignoreBOM: true })
const STRICT = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true })

/** Wrong bytes become U+FFFD, one for each longest wrong start, as `String::from_utf8_lossy`. */
export const decodeLossy = (bytes: Uint8Array): string => LOSSY.decode(bytes)

/** Undefined where the bytes are not UTF-8. */
export function decodeStrict(bytes: Uint8Array): string | undefined {
  try {
    return STRICT.decode(bytes)
  } catch {
    return undefined
  }
}

/** The Unicode property White_Space: unlike JavaScript's `trim`, with U+0085 and without U+FEFF. */
function isWhiteSpace(code: number): boolean {
  if (code <= 0x20) return code === 0x20 || (code >= 0x09 && code <= 0x0d)
  if (code < 0x1680) return code === 0x85 || code === 0xa0
  return (
    code === 0x1680 || (code >= 0x2000 && code <= 0x200a) || code === 0x2028 || code === 0x2029 || code === 0x202f || code === 0x205f || code === 0x3000
  )
}

export function trim(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isWhiteSpace(text.charCodeAt(start))) start++
  while (end > start && isWhiteSpace(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

/** The lines without `\n` or `\r\n`; a last line without either keeps its `\r`. Made one by one: a text can be 64 MiB of line ends. */
export function* lines(text: string): Generator<string> {
  let start = 0
  while (start < text.length) {
    const end = text.indexOf('\n', start)
    if (end < 0) {
      yield text.slice(start)
      return
    }
    yield text.slice(start, end > start && text.charCodeAt(end - 1) === 0x0d ? end - 1 : end)
    start = end + 1
  }
}

const LARGEST = 2n ** 64n - 1n

/** `str::parse::<usize>`: digits with an optional plus, up to 64 bits. */
export function parseUsize(text: string): bigint | undefined {
  if (!/^\+?[0-9]{1,4096}$/.test(text)) return undefined
  const value = BigInt(text.replace('+', ''))
  return value > LARGEST ? undefined : value
}

/** `+` is a space, `%41` is A, a `%` without two hex digits stays. */
export function decodeUrl(text: string): string {
  const encoded = Buffer.from(text.replaceAll('+', ' '))
  let length = 0
  for (let at = 0; at < encoded.length; at++) {
    const pair = encoded[at] === 0x25 ? encoded.toString('latin1', at + 1, at + 3) : ''
    const escaped = /^[0-9a-fA-F]{2}$/.test(pair)
    encoded[length++] = escaped ? parseInt(pair, 16) : encoded[at]!
    if (escaped) at += 2
  }
  return decodeLossy(encoded.subarray(0, length))
}
