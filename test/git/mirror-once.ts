/** A program that makes a mirror and fetches, to be killed. Arguments: the URL, the mirror's folder. */
import { createRepository } from '../../controller/git/repository.ts'

const [location = '', mirrorFolder = ''] = process.argv.slice(2)
process.stdout.write('.')
const repository = await createRepository({ location, branch: 'main', mirrorFolder, environment: process.env, now: () => new Date() })
await repository.refresh()
await repository.close()
