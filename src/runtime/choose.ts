import { reference } from './reference'
import type { Runtime } from './runtime'
import { tfjs } from './tfjs'

/** `auto` takes the fastest runtime that is installed. */
export type RuntimeName = 'auto' | 'tfjs' | 'reference'

export const chooseRuntime = (name: RuntimeName): Runtime => (name === 'reference' ? reference() : tfjs())
