import type { Functions } from './attack.worker'

/** The functions of the worker, once it runs; the page is painted before. */
export async function startSession() {
  const worker = new Worker(new URL('./attack.worker.ts', import.meta.url), { type: 'module' })
  const { connect } = await import('dlg-ts/worker')
  return connect<Functions>(worker)
}
