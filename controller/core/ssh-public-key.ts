/** SSH public keys as they stand in an authorized_keys line: one line, known type, and a blob that is what it says. RFC 4253, section 6.6; RFC 8709. */

const ED25519_BLOB = 51
const RSA_MIN_MODULUS_BYTES = 256
/** How many length-prefixed parts the blob of each accepted type has. */
const PARTS: Readonly<Record<string, number>> = {
  'ssh-ed25519': 2,
  'ssh-rsa': 3,
  'ecdsa-sha2-nistp256': 3,
  'ecdsa-sha2-nistp384': 3,
  'ecdsa-sha2-nistp521': 3,
  'sk-ssh-ed25519@openssh.com': 3,
  'sk-ecdsa-sha2-nistp256@openssh.com': 4,
}

/** What is wrong with a public key, or undefined. */
export function sshKeyFault(line: string): string | undefined {
  if (/PRIVATE KEY/.test(line)) return 'this is a private key, which must never leave its device; make a new pair'
  const [type, blob] = line.split(' ')
  if (type === undefined || PARTS[type] === undefined) return 'it does not start with a known key type such as ssh-ed25519 or ssh-rsa'
  if (blob === undefined || !/^[A-Za-z0-9+/]+={0,2}$/.test(blob)) return 'the base64 part after the type is missing or broken'
  const parts = partsOf(blob)
  if (parts === undefined || parts.length !== PARTS[type] || parts[0] !== type) return 'the base64 part is cut or of another type'
  if (type === 'ssh-ed25519' && blobLength(parts) !== ED25519_BLOB) return 'the base64 part is cut or of another type'
  if (type === 'ssh-rsa' && parts[2]!.length < RSA_MIN_MODULUS_BYTES) return 'RSA keys need at least 2048 bits'
  return undefined
}

/** The key without its comment: equal for equal keys. */
export function sshKeyIdentity(line: string): string {
  return line.split(' ').slice(0, 2).join(' ')
}

function blobLength(parts: readonly string[]): number {
  return parts.reduce((sum, part) => sum + 4 + part.length, 0)
}

function partsOf(base64: string): string[] | undefined {
  let bytes: string
  try {
    bytes = atob(base64)
  } catch {
    return undefined
  }
  const parts: string[] = []
  let at = 0
  while (at < bytes.length) {
    if (at + 4 > bytes.length) return undefined
    const length = [0, 1, 2, 3].reduce((n, i) => n * 256 + bytes.charCodeAt(at + i), 0)
    if (at + 4 + length > bytes.length) return undefined
    parts.push(bytes.slice(at + 4, at + 4 + length))
    at += 4 + length
  }
  return parts
}
