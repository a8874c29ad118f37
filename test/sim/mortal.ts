/**
 * A process that may die between any two of its steps. Everything that it does to the world goes through what is wrapped here: it may
 * die before a call, so that nothing happened, or after it, so that it happened and nobody remembers. From then on nothing that it
 * still tries has any effect.
 */
export class Killed extends Error {
  override readonly name = 'Killed'
}

export interface Life {
  readonly dead: boolean
  /** The same object with a death possible at every call of its functions. */
  wrap<T extends object>(part: T): T
  /** Around a function of its own. */
  step<T>(call: () => T): T
}

/** `dies` is asked before and after each step. */
export function createLife(dies: () => boolean): Life {
  let dead = false
  function live(): void {
    if (!dead && dies()) dead = true
    if (dead) throw new Killed('the process was killed')
  }
  function step<T>(call: () => T): T {
    live()
    const result = call()
    if (result instanceof Promise) {
      return result.then((value: unknown) => {
        live()
        return value
      }) as T
    }
    live()
    return result
  }
  return {
    get dead() {
      return dead
    },
    step,
    wrap: (part) =>
      new Proxy(part, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name)
          return typeof value === 'function' ? (...args: unknown[]) => step(() => (value as (...args: unknown[]) => unknown).apply(target, args)) : value
        },
      }),
  }
}
