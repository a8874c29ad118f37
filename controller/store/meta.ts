/** Single values of the installation: its id, the revision that was last taken in, blobs of shared specs in force. */
import type { Store } from './db.ts'

export interface Meta {
  get(name: string): string | undefined
  set(name: string, value: string): void
  delete(name: string): void
  startingWith(prefix: string): readonly { readonly name: string; readonly value: string }[]
}

export function createMeta(db: Store): Meta {
  const get = db.prepare('SELECT value FROM meta WHERE name = ?')
  const set = db.prepare('INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE value IS NOT excluded.value')
  const remove = db.prepare('DELETE FROM meta WHERE name = ?')
  const prefixed = db.prepare('SELECT name, value FROM meta WHERE substr(name, 1, length(?1)) = ?1')
  return {
    get: (name) => (get.get(name) as { value: string } | undefined)?.value,
    set: (name, value) => void set.run(name, value),
    delete: (name) => void remove.run(name),
    startingWith: (prefix) => prefixed.all(prefix) as { name: string; value: string }[],
  }
}
