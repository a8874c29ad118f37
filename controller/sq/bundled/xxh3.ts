/**
 * XXH3 in its 128 bit form, seed 0: the hash that SQ's checksums are made of.
 * Written from the algorithm's description (github.com/Cyan4973/xxHash, doc/xxhash_spec.md). Short inputs take BigInt for clearness;
 * inputs above 240 bytes go through 32 bit halves, because BigInt would stop the whole program for seconds on a large phext.
 */

const SECRET = Buffer.from(
  'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221' +
    'b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8' +
    'a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb' +
    '170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e',
  'hex',
)

const MASK = 0xffff_ffff_ffff_ffffn
const PRIME32 = [0x9e3779b1n, 0x85ebca77n, 0xc2b2ae3dn] as const
const PRIME64 = [0x9e3779b185ebca87n, 0xc2b2ae3d27d4eb4fn, 0x165667b19e3779f9n, 0x85ebca77c2b2ae63n, 0x27d4eb2f165667c5n] as const
const MIX1 = 0x165667919e3779f9n
const MIX2 = 0x9fb21c651e98df25n

const STRIPE = 64
const STRIPES_IN_BLOCK = 16
const BLOCK = STRIPE * STRIPES_IN_BLOCK

const key = (offset: number) => SECRET.readBigUInt64LE(offset)
const key32 = (offset: number) => BigInt(SECRET.readUInt32LE(offset))
const swap64 = (value: bigint) => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return bytes.readBigUInt64BE()
}

/** The final mixing of XXH64, used for up to three bytes. */
function avalanche64(value: bigint): bigint {
  let hash = value ^ (value >> 33n)
  hash = (hash * PRIME64[1]) & MASK
  hash ^= hash >> 29n
  hash = (hash * PRIME64[2]) & MASK
  return hash ^ (hash >> 32n)
}

function avalanche(value: bigint): bigint {
  let hash = value ^ (value >> 37n)
  hash = (hash * MIX1) & MASK
  return hash ^ (hash >> 32n)
}

function fold(left: bigint, right: bigint): bigint {
  const product = left * right
  return (product & MASK) ^ (product >> 64n)
}

const joined = (low: bigint, high: bigint): bigint => (high << 64n) | low

function hash1to3(input: Buffer): bigint {
  const length = input.length
  const combined = ((input[0]! << 16) | (input[length >> 1]! << 24) | input[length - 1]! | (length << 8)) >>> 0
  const swapped = ((combined << 24) | ((combined & 0xff00) << 8) | ((combined >>> 8) & 0xff00) | (combined >>> 24)) >>> 0
  const rotated = ((swapped << 13) | (swapped >>> 19)) >>> 0
  return joined(avalanche64(BigInt(combined) ^ key32(0) ^ key32(4)), avalanche64(BigInt(rotated) ^ key32(8) ^ key32(12)))
}

function hash4to8(input: Buffer): bigint {
  const length = input.length
  const word = BigInt(input.readUInt32LE(0)) | (BigInt(input.readUInt32LE(length - 4)) << 32n)
  const product = (word ^ key(16) ^ key(24)) * (PRIME64[0] + BigInt(length << 2))
  let low = product & MASK
  const high = ((product >> 64n) + (low << 1n)) & MASK
  low ^= high >> 3n
  low ^= low >> 35n
  low = (low * MIX2) & MASK
  low ^= low >> 28n
  return joined(low, avalanche(high))
}

function hash9to16(input: Buffer): bigint {
  const length = input.length
  const first = input.readBigUInt64LE(0)
  const last = input.readBigUInt64LE(length - 8)
  const product = (first ^ last ^ key(32) ^ key(40)) * PRIME64[0]
  const keyed = last ^ key(48) ^ key(56)
  const high = ((product >> 64n) + keyed + (keyed & 0xffff_ffffn) * (PRIME32[1] - 1n)) & MASK
  const low = ((product + (BigInt(length - 1) << 54n)) & MASK) ^ swap64(high)
  const second = low * PRIME64[1]
  return joined(avalanche(second & MASK), avalanche(((second >> 64n) + high * PRIME64[1]) & MASK))
}

function hash17to240(input: Buffer): bigint {
  const length = input.length
  let low = (BigInt(length) * PRIME64[0]) & MASK
  let high = 0n
  const word = (offset: number) => input.readBigUInt64LE(offset)
  const mix16 = (offset: number, secret: number) => fold(word(offset) ^ key(secret), word(offset + 8) ^ key(secret + 8))
  const mix32 = (one: number, two: number, secret: number) => {
    low = ((low + mix16(one, secret)) & MASK) ^ ((word(two) + word(two + 8)) & MASK)
    high = ((high + mix16(two, secret + 16)) & MASK) ^ ((word(one) + word(one + 8)) & MASK)
  }
  if (length <= 128) {
    for (let step = Math.ceil(length / 32) - 1; step >= 0; step--) mix32(step * 16, length - 16 - step * 16, step * 32)
  } else {
    for (let at = 32; at < 160; at += 32) mix32(at - 32, at - 16, at - 32)
    low = avalanche(low)
    high = avalanche(high)
    for (let at = 160; at <= length; at += 32) mix32(at - 32, at - 16, at - 157)
    mix32(length - 16, length - 32, 103)
  }
  const mixed = (low * PRIME64[0] + high * PRIME64[3] + BigInt(length) * PRIME64[1]) & MASK
  return joined(avalanche((low + high) & MASK), -avalanche(mixed) & MASK)
}

/** The high 32 bits of the product of two 32 bit numbers. */
function productHigh(left: number, right: number): number {
  const leftLow = left & 0xffff
  const leftHigh = left >>> 16
  const rightLow = right & 0xffff
  const rightHigh = right >>> 16
  const cross = leftHigh * rightLow
  const middle = leftLow * rightHigh + ((leftLow * rightLow) >>> 16) + (cross & 0xffff)
  return (leftHigh * rightHigh + (cross >>> 16) + Math.floor(middle / 0x10000)) >>> 0
}

/** Eight 64 bit sums as sixteen halves, low half first. */
type Lanes = Uint32Array

function addTo(lanes: Lanes, lane: number, low: number, high: number): void {
  const sum = lanes[2 * lane]! + low
  lanes[2 * lane] = sum
  lanes[2 * lane + 1] = lanes[2 * lane + 1]! + high + (sum > 0xffff_ffff ? 1 : 0)
}

function accumulate(lanes: Lanes, input: DataView, at: number, secret: DataView, secretAt: number): void {
  for (let lane = 0; lane < 8; lane++) {
    const low = input.getUint32(at + 8 * lane, true)
    const high = input.getUint32(at + 8 * lane + 4, true)
    const keyedLow = (low ^ secret.getUint32(secretAt + 8 * lane, true)) >>> 0
    const keyedHigh = (high ^ secret.getUint32(secretAt + 8 * lane + 4, true)) >>> 0
    addTo(lanes, lane ^ 1, low, high)
    addTo(lanes, lane, Math.imul(keyedLow, keyedHigh) >>> 0, productHigh(keyedLow, keyedHigh))
  }
}

function scramble(lanes: Lanes, secret: DataView, secretAt: number): void {
  const prime = Number(PRIME32[0])
  for (let lane = 0; lane < 8; lane++) {
    const high = lanes[2 * lane + 1]!
    const low = (lanes[2 * lane]! ^ (high >>> 15) ^ secret.getUint32(secretAt + 8 * lane, true)) >>> 0
    const keyedHigh = (high ^ secret.getUint32(secretAt + 8 * lane + 4, true)) >>> 0
    lanes[2 * lane] = Math.imul(low, prime)
    lanes[2 * lane + 1] = productHigh(low, prime) + (Math.imul(keyedHigh, prime) >>> 0)
  }
}

function merged(lanes: Lanes, secretAt: number, start: bigint): bigint {
  const words = new BigUint64Array(8)
  for (let lane = 0; lane < 8; lane++) words[lane] = BigInt(lanes[2 * lane]!) | (BigInt(lanes[2 * lane + 1]!) << 32n)
  let sum = start & MASK
  for (let pair = 0; pair < 4; pair++) sum += fold(words[2 * pair]! ^ key(secretAt + 16 * pair), words[2 * pair + 1]! ^ key(secretAt + 16 * pair + 8))
  return avalanche(sum & MASK)
}

function hashLong(input: Buffer): bigint {
  const length = input.length
  const start = [PRIME32[2], PRIME64[0], PRIME64[1], PRIME64[2], PRIME64[3], PRIME32[1], PRIME64[4], PRIME32[0]]
  const lanes = new Uint32Array(start.flatMap((word) => [Number(word & 0xffff_ffffn), Number(word >> 32n)]))
  const view = new DataView(input.buffer, input.byteOffset, length)
  const secret = new DataView(SECRET.buffer, SECRET.byteOffset, SECRET.length)

  const blocks = Math.floor((length - 1) / BLOCK)
  for (let block = 0; block < blocks; block++) {
    for (let stripe = 0; stripe < STRIPES_IN_BLOCK; stripe++) accumulate(lanes, view, block * BLOCK + stripe * STRIPE, secret, stripe * 8)
    scramble(lanes, secret, SECRET.length - STRIPE)
  }
  const stripes = Math.floor((length - 1 - blocks * BLOCK) / STRIPE)
  for (let stripe = 0; stripe < stripes; stripe++) accumulate(lanes, view, blocks * BLOCK + stripe * STRIPE, secret, stripe * 8)
  accumulate(lanes, view, length - STRIPE, secret, SECRET.length - STRIPE - 7)

  const size = BigInt(length)
  return joined(merged(lanes, 11, size * PRIME64[0]), merged(lanes, SECRET.length - STRIPE - 11, ~(size * PRIME64[1])))
}

function xxh3(input: Buffer): bigint {
  if (input.length === 0) return joined(avalanche64(key(64) ^ key(72)), avalanche64(key(80) ^ key(88)))
  if (input.length <= 3) return hash1to3(input)
  if (input.length <= 8) return hash4to8(input)
  if (input.length <= 16) return hash9to16(input)
  return input.length <= 240 ? hash17to240(input) : hashLong(input)
}

/** 32 hex digits, as `GET checksum` answers them. */
export function checksum(text: string): string {
  return xxh3(Buffer.from(text)).toString(16).padStart(32, '0')
}
