import type { Endpoint } from 'comlink'
import { hasMethod, show } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'
import type { WorkerEndpoint } from './protocol'

/** @throws DlgError `invalid-option` for what is no worker and no port */
export function endpointOf(endpoint: WorkerEndpoint): Endpoint {
  if (hasMethod(endpoint, 'postMessage', 'addEventListener', 'removeEventListener')) return endpoint as Endpoint
  throw new DlgError('invalid-option', `the worker is ${show(endpoint)}; it must be a Web Worker or a MessagePort`)
}
