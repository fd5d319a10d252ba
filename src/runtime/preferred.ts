import type { Runtime } from './runtime'

let preferred: Runtime | undefined

/** Makes this the runtime that `auto` tries first outside Node. An entry does so when a page imports it, as tfjs's backends do. */
export function preferRuntime(runtime: Runtime): void {
  preferred = runtime
}

/** The runtime that `auto` tries first outside Node; undefined where the page has imported none. */
export const preferredRuntime = (): Runtime | undefined => preferred
