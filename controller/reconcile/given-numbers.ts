/**
 * Remembers every tenant number that was ever taken in, so that none is given twice after its file is gone. A store that knows
 * nothing yet (a first run, or one rebuilt from the repository) learns from all of git's history.
 */
import type { CatalogView } from '../core/catalog-view.ts'
import { parseTenantNumber } from '../core/tenant-id.ts'
import type { GitRepository } from '../git/port.ts'
import { baseName } from '../specs/paths.ts'
import type { HighestNumbers } from '../store/highest-numbers.ts'
import type { Meta } from '../store/meta.ts'

export interface GivenNumbers {
  /** Call whenever the catalog has moved. Throws where history cannot be read; then nothing may be given yet. */
  note(catalog: CatalogView): Promise<void>
}

const HISTORY_READ = 'history-read'

export function createGivenNumbers({ repository, numbers, meta }: { readonly repository: GitRepository; readonly numbers: HighestNumbers; readonly meta: Meta }): GivenNumbers {
  const raise = (product: string, number: number): void => {
    if (number > numbers.get(product)) numbers.raise(product, number)
  }

  async function readHistory(catalog: CatalogView): Promise<void> {
    const highest = new Map<string, number>()
    for await (const path of repository.pathsEverAdded('tenants')) {
      for (const product of catalog.products()) {
        const number = parseTenantNumber(product, baseName(path)) ?? 0
        if (number > (highest.get(product.metadata.name) ?? 0)) highest.set(product.metadata.name, number)
      }
    }
    for (const [product, number] of highest) raise(product, number)
    meta.set(HISTORY_READ, 'yes')
  }

  return {
    async note(catalog) {
      if (meta.get(HISTORY_READ) === undefined) await readHistory(catalog)
      for (const { metadata } of catalog.products()) raise(metadata.name, catalog.highestNumber(metadata.name))
    },
  }
}
