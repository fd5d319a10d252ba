import type { Arguments, Options } from './arguments'

/** Flags of the commands that meet at a queue. */
export const QUEUE: Options[string] = {
  value: 'URL',
  help: 'a Redis such as redis://localhost:6379, through which workers run the trials',
}
export const PATIENCE: Options[string] = {
  value: 'SECONDS',
  default: '30',
  help: 'to wait for a queue that is gone; needs --queue',
}

/** Seconds to wait for a queue that is gone. @throws DlgError `invalid-option` */
export const patienceOf = (args: Arguments): number => args.whole('patience', 1)
