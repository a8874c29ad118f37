import path from 'node:path'
import tseslint from 'typescript-eslint'

const ROOT = import.meta.dirname

/** The files that may touch `process`: one for each program, and what only developers run. */
const ENTRY_POINTS = ['controller/main.ts', 'controller/gateway/main.ts', 'controller/gateway/thread.ts', 'controller/sq/bundled/main.ts']

/** `core` imports `core` only: no adapter, no package, no builtin. */
const coreImportsCore = {
  create(context) {
    const check = (node) => {
      const specifier = node.source?.value
      if (typeof specifier !== 'string') return
      const target = path.resolve(path.dirname(context.filename), specifier)
      if (specifier.startsWith('.') && target.startsWith(path.join(ROOT, 'controller/core') + path.sep)) return
      context.report({ node, message: `core may import core only, not "${specifier}": take it as an argument, or move this file to an adapter.` })
    }
    return { ImportDeclaration: check, ImportExpression: check, ExportNamedDeclaration: check, ExportAllDeclaration: check }
  },
}

/** The production path never imports the sandbox or a test; only the composition root may load the sandbox, lazily. */
const productionOnly = {
  create(context) {
    const check = (node) => {
      const specifier = node.source?.value
      if (typeof specifier !== 'string' || !specifier.startsWith('.')) return
      const target = path.relative(ROOT, path.resolve(path.dirname(context.filename), specifier))
      if (!/^(sandbox|test)\//.test(target)) return
      if (node.type === 'ImportExpression' && context.filename === path.join(ROOT, 'controller/main.ts')) return
      context.report({ node, message: `"${specifier}" is not for production: only controller/main.ts may load the sandbox, with import().` })
    }
    return { ImportDeclaration: check, ImportExpression: check, ExportNamedDeclaration: check, ExportAllDeclaration: check }
  },
}

const layers = { rules: { 'core-imports-core': coreImportsCore, 'production-only': productionOnly } }

export default tseslint.config(
  { ignores: ['node_modules/', 'data/', 'docs/'] },
  ...tseslint.configs.recommended,
  ...tseslint.configs.stylistic,
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: ROOT } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/no-non-null-assertion': 'off',
      'no-restricted-syntax': ['error', { selector: 'TSEnumDeclaration', message: 'Use a union of string literals.' }],
      eqeqeq: 'error',
    },
  },
  { files: ['controller/**/*.ts', 'hooks/**/*.ts'], plugins: { layers }, rules: { 'layers/production-only': 'error' } },
  {
    files: ['controller/**/*.ts', 'hooks/**/*.ts', 'sandbox/**/*.ts'],
    rules: {
      'max-lines-per-function': ['error', { max: 80, skipBlankLines: true, skipComments: true }],
      'max-lines': ['error', { max: 400 }],
    },
  },
  {
    files: ['controller/**/*.ts', 'hooks/**/*.ts', 'sandbox/**/*.ts'],
    ignores: ENTRY_POINTS,
    rules: {
      'no-restricted-globals': ['error', { name: 'process', message: 'Only the entry points touch process: take what you need as an argument.' }],
      'no-restricted-imports': ['error', { paths: ['process', 'node:process'] }],
    },
  },
  { files: ['controller/core/**/*.ts'], plugins: { layers }, rules: { 'layers/core-imports-core': 'error' } },
)
