/** Why a change of keys that a customer asked for is refused. What people read is made of it by routes.ts. */
import type { WishFault } from '../core/new-key.ts'

export type KeyChangeCode = WishFault['code'] | 'account-file-invalid' | 'key-not-possible' | 'key-unknown' | 'key-not-yours'

export class KeyChangeError extends Error {
  override readonly name = 'KeyChangeError'
  readonly code: KeyChangeCode

  constructor(code: KeyChangeCode, detail = '') {
    super(detail)
    this.code = code
  }
}
