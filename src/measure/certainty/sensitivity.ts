import type { Random } from '../../numbers/random'
import { type Curvature, randomSigns } from './curvature'

/** How much each unknown alone moves what was shared. */
export interface Sensitivity {
  /**
   * An estimate of (JᵀJ)ᵢᵢ: the relative squared change of what was shared when the unknown moves by one unit. Noisy where
   * unknowns move the same parts of it; at least `bound`.
   */
  readonly estimate: Float64Array
  /** What (JᵀJ)ᵢᵢ is at least. */
  readonly bound: Float64Array
  /** 1 for every unknown that moves what was shared by less than the floor, although it moves by a whole unit. */
  readonly undetermined: Uint8Array
}

/** Probes over all unknowns. */
const PROBES = 6
/** Probes over a part of the unknowns. */
const PART_PROBES = 3
/** A step over all unknowns: small enough to stay where the model is linear. */
const STEP = 0.01
/** The step grows with every part: what moves little is linear for longer, and float32 needs the length. */
const GROWTH = 3
const LONGEST = 0.25
/** With all unknowns in motion, bounds this close to the floor may be rounding of the others. */
const MARGIN = 100
/** A bound counts where the image is this many times what two estimates of it differ by, squared. */
const CLEAR = 10
/** Part of the products that is kept for combinations of unknowns. */
const RESERVED = 0.4
/** Into how many times more parts the undecided are split where probing them together does not decide half of them. */
const PARTS = 4
const MOST_PARTS = 16

/**
 * Finds the unknowns that do not move what was shared.
 *
 * A probe is a vector z of random signs; z ⊙ JᵀJ z estimates the diagonal (Hutchinson 1989; Bekas, Kokiopoulou, Saad 2007).
 * Single estimates are noisy where columns of J overlap, so the mask does not rest on them. By Cauchy and Schwarz,
 *
 * (JᵀJ z)ᵢ² = ⟨Jᵢ, J z⟩² ≤ ‖Jᵢ‖² ‖J z‖², so (JᵀJ)ᵢᵢ ≥ (JᵀJ z)ᵢ² / zᵀJᵀJ z,
 *
 * a bound that rounding of the products cannot lift over the floor: it is relative to J z. An unknown is determined when its
 * bound exceeds the floor. The others are probed again with the determined ones at rest, which makes J z smaller and the bound
 * sharper, until all are determined or until moving all that are left together moves what was shared by less than the floor.
 *
 * @param floor relative squared change of what was shared that cannot be told from none
 * @returns undefined where the work was cut short
 */
export async function sensitivityOf(
  curvature: Curvature,
  floor: number,
  random: Random,
): Promise<Sensitivity | undefined> {
  const { size } = curvature
  const estimate = new Float64Array(size)
  const bound = new Float64Array(size)
  const undecided = new Uint8Array(size).fill(1)
  const reserve = Math.floor(curvature.left * RESERVED)
  /** Moves the members; those whose bound exceeds the floor are decided. Gives ‖J z‖², or undefined where the work was cut. */
  const probe = async (
    members: Uint8Array,
    probes: number,
    step: number,
    above = floor,
  ): Promise<number | undefined> => {
    if (probes < PROBES && curvature.left - 2 * probes < reserve) return undefined
    const seen = await probed(curvature, random, members, floor, probes, step)
    if (!seen) return undefined
    for (let i = 0; i < size; i++) {
      if (members[i] === 0) continue
      estimate[i] = seen.diagonal[i]
      bound[i] = Math.max(bound[i], seen.bound[i])
      if (seen.bound[i] > above) undecided[i] = 0
    }
    return seen.size
  }
  if ((await probe(undecided.slice(), PROBES, STEP, MARGIN * floor)) === undefined) return undefined
  const found = (): Sensitivity => ({
    estimate: estimate.map((v, i) => Math.max(v, bound[i])),
    bound,
    undetermined: undecided,
  })
  let [step, parts] = [STEP, 1]
  for (let left = count(undecided); left > 0 && parts <= MOST_PARTS; left = count(undecided)) {
    step = Math.min(step * GROWTH, LONGEST)
    const together = await probe(undecided.slice(), PART_PROBES, step)
    if (together === undefined) break
    // all that are left move by a long step at once, and nothing changes
    if (together <= floor && step === LONGEST) return found()
    if (count(undecided) <= left / 2 || step < LONGEST) continue
    parts *= PARTS
    for (const members of split(undecided, parts, random)) await probe(members, 1, step)
  }
  // the work ended before the bounds were sharp: estimates decide
  for (let i = 0; i < size; i++) if (estimate[i] > floor) undecided[i] = 0
  return curvature.cut ? undefined : found()
}

/** What some probes over the same members found. */
interface Probed {
  readonly diagonal: Float64Array
  readonly bound: Float64Array
  /** The mean of zᵀJᵀJ z. */
  readonly size: number
}

async function probed(
  curvature: Curvature,
  random: Random,
  members: Uint8Array,
  floor: number,
  probes: number,
  step: number,
): Promise<Probed | undefined> {
  const diagonal = new Float64Array(curvature.size)
  const squares = new Float64Array(curvature.size)
  const doubts = new Float64Array(curvature.size)
  let size = 0
  for (let k = 0; k < probes; k++) {
    const z = randomSigns(curvature, random, members)
    const product = await curvature.refined(z, step)
    if (!product) return undefined
    size += Math.abs(product.size) / probes
    for (let i = 0; i < z.length; i++) {
      diagonal[i] += (z[i] * product.image[i]) / probes
      squares[i] += product.image[i] ** 2 / probes
      doubts[i] += product.doubt![i] ** 2 / probes
    }
  }
  // where J z is below the floor, its size is rounding
  const bound = squares.map((v, i) => (v > CLEAR * doubts[i] ? v / Math.max(size, floor) : 0))
  return { diagonal, bound, size }
}

/** Disjoint random parts of about equal size, none empty. */
function split(members: Uint8Array, parts: number, random: Random): Uint8Array[] {
  const out = Array.from({ length: Math.min(parts, count(members)) }, () => new Uint8Array(members.length))
  const order = Array.from(members.keys())
    .filter((i) => members[i] !== 0)
    .map((i) => [random.uniform(), i] as const)
    .sort(([a], [b]) => a - b)
  for (const [at, [, i]] of order.entries()) out[at % out.length][i] = 1
  return out
}

const count = (members: Uint8Array): number => members.reduce((a, b) => a + b, 0)
