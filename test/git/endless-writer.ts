/** A program that commits for ever, to be killed. Arguments: the repository, a name. */
import { createRepository } from '../../controller/git/repository.ts'

const [folder = '', name = ''] = process.argv.slice(2)
const repository = await createRepository({ location: folder, branch: 'main', mirrorFolder: '', environment: process.env, now: () => new Date() })
for (let count = 0; ; count += 1) {
  const files = Array.from({ length: 20 }, (_, index) => ({ path: `${name}/${count}/${index}`, text: `${index}` }))
  const parent = await repository.tip()
  try {
    await repository.commit(parent!, { message: `${name} ${count}`, author: { name: 'W', email: 'w@example.com' }, files })
  } catch {
    // A lock that an earlier, killed one left: try again, as a worker does.
  }
  process.stdout.write('.')
}
