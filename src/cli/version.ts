import { createRequire } from 'node:module'

/** Of this package, found by its own name wherever it is bundled to. */
export const version = (): string => createRequire(import.meta.url)('dlg-ts/package.json').version
