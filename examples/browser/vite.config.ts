import { defineConfig } from 'vite'

export default defineConfig({
  // a folder that can be put anywhere
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  worker: { format: 'es' },
  build: { target: 'es2022', chunkSizeWarningLimit: 2000 },
})
