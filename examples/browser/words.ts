import type { Result } from './attack.worker'

/** What an outcome means, for a reader who knows nothing of attacks. */
export const STATUS_WORDS: Readonly<Record<Result['status'], string>> = {
  proven: 'Leaked, and proven: this picture has the shared gradient, and no picture near it does.',
  matched: 'Leaked: this picture has the shared gradient. Not every other picture was ruled out.',
  undetermined: 'Matched: this picture has the shared gradient, but part of it could be otherwise.',
  partial: 'Partly leaked: something was read, and not everything.',
  failed: 'This search failed. That is no proof of safety: another search may succeed.',
  refused: 'This attack does not apply here.',
  cut: 'Stopped. This is the best it had found so far.',
}

/** What a reader is told who stopped an attack before it had anything. */
export const STOPPED_EARLY = 'Stopped before the search began.'

/** The gravity of an outcome, as a colour. */
export const toneOf = (status: Result['status']): 'bad' | 'open' =>
  status === 'proven' || status === 'matched' || status === 'undetermined' ? 'bad' : 'open'

/** A sentence out of a clause. */
export const sentence = (clause: string): string => `${clause.charAt(0).toUpperCase()}${clause.slice(1)}.`

export const count = (n: number): string => n.toLocaleString('en')
export const decibels = (psnr: number): string => (Number.isFinite(psnr) ? `${psnr.toFixed(1)} dB` : '∞ dB')
export const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`

/** How good a picture of this PSNR is. */
export const closeness = (psnr: number): string =>
  psnr >= 40 ? 'no visible difference' : psnr >= 20 ? 'clearly recognisable' : psnr >= 13 ? 'a trace of it' : 'noise'
