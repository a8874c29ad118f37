/** Passwords at their real cost, and what happens when many come at once. */
import { describe, expect, test } from 'vitest'
import { createPasswords } from '../../controller/accounts/passwords.ts'
import { HttpProblem } from '../../controller/web/http-problem.ts'

describe('a stored password', () => {
  test('is Argon2id with 19 MiB, two passes and a salt of its own, and is known again', async () => {
    const { hash, verify } = createPasswords()
    const [one, two] = [await hash('correct horse'), await hash('correct horse')]
    expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
    expect(one).not.toBe(two)
    expect(await verify('correct horse', one)).toBe(true)
    expect(await verify('correct horsE', one)).toBe(false)
  })

  test('is the same however its letters were typed', async () => {
    const { hash, verify } = createPasswords()
    expect(await verify('cafe\u0301 cr\u00e8me', await hash('caf\u00e9 cre\u0300me'))).toBe(true)
  })

  test('that is none costs as much and opens nothing', async () => {
    let derived = 0
    const { verify } = createPasswords({ derive: async () => (derived++, Buffer.alloc(32)) })
    expect(await verify('anything', null)).toBe(false)
    expect(derived).toBe(1)
  })
})

describe('many at once', () => {
  test('a few are hashed at a time, a few wait, the rest are told to come back', async () => {
    let [running, most] = [0, 0]
    let release = (): void => undefined
    const gate = new Promise<void>((resolve) => (release = resolve))
    const { hash } = createPasswords({
      atOnce: 2,
      mostWaiting: 3,
      async derive() {
        most = Math.max(most, ++running)
        await gate
        running--
        return Buffer.alloc(32)
      },
    })
    const asked = Array.from({ length: 8 }, () => hash('password').then(() => 'hashed', (error: unknown) => error))
    release()
    const outcomes = await Promise.all(asked)
    expect(outcomes.filter((outcome) => outcome === 'hashed')).toHaveLength(5)
    const refused = outcomes.filter((outcome) => outcome instanceof HttpProblem)
    expect(refused.map(({ details }) => [details.status, details.retryAfterSeconds])).toEqual(Array.from({ length: 3 }, () => [503, 5]))
    expect(most).toBe(2)
    expect(await hash('again')).toMatch(/^\$argon2id/)
  })

  test('a hash that fails makes room for the next', async () => {
    let fails = true
    const { hash } = createPasswords({ atOnce: 1, derive: async () => (fails ? Promise.reject(new Error('no memory')) : Buffer.alloc(32)) })
    await expect(hash('x')).rejects.toThrow('no memory')
    fails = false
    await expect(hash('x')).resolves.toMatch(/^\$argon2id/)
  })
})
