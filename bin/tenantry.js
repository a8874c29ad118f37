#!/usr/bin/env node
// Starts the program on the Node that the project brings (the `node` package), whatever the machine has.
import { spawn } from 'node:child_process'
import module from 'node:module'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../controller/main.ts', import.meta.url))

if (Number(process.versions.node.split('.')[0]) >= 24) {
  // Reading TypeScript takes half of a command's time: kept for the next one, beside the packages.
  module.enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/tenantry', import.meta.url)))
  await import(main)
} else {
  const node = module.createRequire(import.meta.url).resolve('node/bin/node')
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => (process.exitCode = code ?? (signal ? 1 : 0)))
}
