import type * as node from './threads'

/** A browser has no threads of Node, so searches take turns. */
export const openThreads: typeof node.openThreads = async () => undefined
