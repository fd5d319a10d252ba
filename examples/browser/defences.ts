import { clipping, composed, type Defence, gaussianNoise, pruning, quantised } from 'dlg-ts/defences'
import type { Settings } from './settings'

/** The defence of the settings, in the order in which a client would apply it; undefined for none. */
export function defenceOf({ clip, noise, prune, stored }: Settings): Defence | undefined {
  const chosen = [
    ...(clip > 0 ? [clipping({ norm: clip })] : []),
    ...(noise > 0 ? [gaussianNoise({ relative: noise })] : []),
    ...(prune > 0 ? [pruning({ part: prune })] : []),
    ...(stored !== 'float32' ? [quantised(stored)] : []),
  ]
  return chosen.length > 0 ? composed(...chosen) : undefined
}
