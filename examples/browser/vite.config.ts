import type { UserConfig } from 'vite'

export default {
  // a folder that can be put anywhere
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  worker: { format: 'es' },
  build: { target: 'es2022', chunkSizeWarningLimit: 2000 },
} satisfies UserConfig
