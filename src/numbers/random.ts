import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'

/** A stream of reproducible numbers. */
export interface Random {
  /** In [0, 1), 32 bits. */
  uniform(): number
  /** N(0, 1), by Box and Muller. */
  normal(): number
}

/** A stream of random numbers. It is the same for one seed on every machine; other seeds give unrelated streams. */
export function random(...seed: number[]): Random {
  const generator = xoroshiro128plus(
    seed.map(word).reduce((hash, part) => Math.imul(hash ^ part, 0x9e3779b1) ^ (hash >>> 15), 0x2545f491),
  )
  const uniform = () => (generator.next() >>> 0) / 2 ** 32
  // the first outputs of related seeds are related
  for (let i = 0; i < 16; i++) uniform()
  let spare: number | undefined
  return {
    uniform,
    normal() {
      if (spare !== undefined) {
        const value = spare
        spare = undefined
        return value
      }
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()))
      const angle = 2 * Math.PI * uniform()
      spare = radius * Math.sin(angle)
      return radius * Math.cos(angle)
    },
  }
}

/** A whole number of up to 53 bits as 32; below 2³² they are its own. */
const word = (part: number): number => (part | 0) + Math.imul(Math.floor(part / 2 ** 32), 0x85ebca6b)
