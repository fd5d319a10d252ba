/** Everything that a state of the page depends on. It stands in the address, so that a state is a link. */
export interface Settings {
  readonly tab: 'photo' | 'sentence'
  readonly text: string
  readonly photo: string
  readonly network: 'lenet' | 'relu' | 'dense'
  readonly batch: number
  /** Norm of the noise on each tensor, in units of the tensor's norm; 0 is none. */
  readonly noise: number
  /** Norm to which the gradient is clipped; 0 is none. */
  readonly clip: number
  /** Part of the numbers that is dropped; 0 is none. */
  readonly prune: number
  readonly stored: 'float32' | 'float16' | 'bfloat16' | 'int8'
  /** Steps of SGD on the device before it shares. */
  readonly steps: number
  readonly seed: number
}

export const DEFAULTS: Settings = {
  tab: 'photo',
  text: 'My password is the name of our river.',
  photo: 'flower',
  network: 'lenet',
  batch: 1,
  noise: 0,
  clip: 0,
  prune: 0,
  stored: 'float32',
  steps: 1,
  seed: 1,
}

/** Values that can be chosen, each with its words. */
export const CHOICES = {
  network: { lenet: 'LeNet', relu: 'ReLU', dense: 'Dense' },
  batch: { 1: '1 photo', 2: '2 photos', 3: '3 photos', 4: '4 photos' },
  noise: { 0: 'none', 0.001: '0.1 %', 0.01: '1 %', 0.1: '10 %', 0.5: '50 %' },
  clip: { 0: 'none', 1: 'to norm 1', 0.1: 'to norm 0.1' },
  prune: { 0: 'none', 0.5: 'drop 50 %', 0.9: 'drop 90 %', 0.99: 'drop 99 %' },
  stored: { float32: 'none', float16: 'float16', bfloat16: 'bfloat16', int8: 'int8' },
  steps: { 1: '1 step', 2: '2 steps', 3: '3 steps', 5: '5 steps' },
} as const

/** The settings of an address. What is no choice is the default. */
export function settingsOf(search: string): Settings {
  const given = new URLSearchParams(search)
  const chosen = Object.entries(CHOICES).map(([name, choices]) => {
    const word = given.get(name)
    const usual = DEFAULTS[name as keyof Settings]
    if (word === null || !Object.hasOwn(choices, word)) return [name, usual]
    return [name, typeof usual === 'number' ? Number(word) : word]
  })
  const seed = Number(given.get('seed') ?? DEFAULTS.seed)
  return {
    ...DEFAULTS,
    ...Object.fromEntries(chosen),
    tab: given.get('tab') === 'sentence' ? 'sentence' : 'photo',
    text: given.get('text') ?? DEFAULTS.text,
    photo: given.get('photo') ?? DEFAULTS.photo,
    seed: Number.isSafeInteger(seed) && seed >= 0 ? seed : DEFAULTS.seed,
  }
}

/** The address of settings: what differs from the defaults. */
export function addressOf(settings: Settings): string {
  const other = Object.entries(settings).filter(([name, value]) => value !== DEFAULTS[name as keyof Settings])
  return other.length === 0 ? '' : `?${new URLSearchParams(other.map(([name, value]) => [name, String(value)]))}`
}
