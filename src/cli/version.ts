import { createRequire } from 'node:module'

/** Version of this package. The package finds itself by its own name, wherever it is bundled to. */
export const version = (): string => createRequire(import.meta.url)('dlg-ts/package.json').version
