/**
 * Runs attacks, and whatever else computes for long, in a Web Worker: the same call, the same progress, abort and result.
 *
 * @module dlg-ts/worker
 */

export { connect, type Remote } from './connect'
export type { Served, WorkerEndpoint } from './protocol'
export { serve } from './serve'
