import { describe, expect, it } from 'vitest'
import { MATCHING } from '../../src/attacks/matching/options'
import { scaleCause } from '../../src/attacks/matching/scale-cause'
import { flagName, type Records } from '../../src/cli/flags'
import { inFlags } from '../../src/cli/in-flags'
import { updateOption } from '../../src/client/shared/update-options'

const flagged = Object.entries(MATCHING as Records).filter(([, { flag }]) => flag)

/** Of what refuses a value. */
function messageOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('nothing was refused')
}

describe('messages of the call name options as one types them', () => {
  // a criterion and priors are checked elsewhere
  const checked = flagged.filter(([name]) => !['criterion', 'priors', 'budget'].includes(name))

  it.each(checked.map(([name, record]) => [name, record] as const))('%s', (name, record) => {
    const flag = flagName(name, record)
    const message = messageOf(() => record.check(null, name))
    expect(message).toMatch(new RegExp(`^${name} is null; it must be `))
    const said = inFlags(message)
    expect(said).toMatch(new RegExp(`^--${flag} is null; it must be `))
    expect(said).not.toMatch(/'/)
  })

  it.each(flagged.map(([name, record]) => [name, flagName(name, record)]))('%s with a value is --%s', (name, flag) => {
    expect(inFlags(`try ${name}: 'some' or ${name}: -1.5e-3, or ${name}: 2`)).toBe(
      `try --${flag} some or --${flag} -1.5e-3, or --${flag} 2`,
    )
  })

  const training = { batchSize: 4, reduction: 'mean', update: undefined, scale: 1 } as const
  const steps = (count: number) =>
    updateOption({ learningRate: 0.1, localSteps: count, batchSize: 2 }, 4, false) as NonNullable<
      ReturnType<typeof updateOption>
    >

  it.each([
    [
      -1,
      training,
      'perhaps the sign is turned, as in an update: --scale -1, or --before/--after; --scale auto fits a factor ',
    ],
    [4, training, '--scale auto fits a factor that is not known'],
    [4, { ...training, scale: 'auto' }, "the client's loss is a sum over its samples: --reduction sum"],
    [
      0.25,
      { ...training, scale: 'auto', reduction: 'sum' },
      "the client's loss is a mean over its samples: --reduction mean",
    ],
    [
      -0.01,
      { ...training, scale: 'auto' },
      'the sign is turned, as in an update: --before/--after with --learning-rate 0.01',
    ],
    [
      -1,
      { ...training, update: steps(2) },
      'perhaps the sign is turned: the update points the other way (--sign), or before and after are mixed up',
    ],
    [2, { ...training, scale: 'auto' }, "the client's loss is twice this one"],
  ] as const)('a factor of %s with %j', (factor, given, words) => {
    const said = inFlags(scaleCause(factor, given) ?? '')
    expect(said.startsWith(words), said).toBe(true)
    expect(said).not.toMatch(/\w: ('|-?\d)|[{}]|\w\.\w+[A-Z(]/)
  })

  it.each([
    [{ learningRate: 0 }, '--learning-rate is 0; it must be a number above 0'],
    [{}, '--learning-rate is not given; it must be a number above 0'],
    [{ learningRate: 1, batchSize: 9 }, '--local-batch-size is 9, more than the 4 samples of --batch-size; it must '],
    [{ learningRate: 1, batchSize: 0 }, '--local-batch-size is 0; it must be a whole number of at least 1'],
    [{ learningRate: 1, epochs: 0 }, '--epochs is 0; it must be a whole number of at least 1'],
    [{ learningRate: 1, localSteps: 0 }, '--local-steps is 0; it must be a whole number of at least 1'],
    [{ learningRate: 1, momentum: 1 }, '--momentum is 1; it must be a number in [0, 1)'],
    [{ learningRate: 1, weightDecay: -1 }, '--weight-decay is -1; it must be a number of at least 0'],
    [{ learningRate: 1, sign: 'up' }, "--sign is 'up'; it must be after-before or before-after"],
    [{ learningRate: 1, approach: 'best' }, "--approach is 'best'; it must be unrolled or one-step or surrogate"],
    [{ learningRate: 1, epochs: 1, localSteps: 1 }, 'update has both --epochs and --local-steps, which say the same'],
    [
      { learningRate: 1, batchSize: 2, localSteps: 1 },
      '1 local step of 2 samples leaves some of the 4 of --batch-size unread; take --local-steps of at least 2, or a smaller --batch-size',
    ],
  ])('an update of %j', (update, words) => {
    const said = inFlags(messageOf(() => updateOption(update as never, 4, false)))
    expect(said.startsWith(words), said).toBe(true)
  })

  it.each([
    [
      "labels: 'infer' cannot apply: the loss is another; use labels: 'joint' or give the labels",
      '--labels infer cannot apply: the loss is another; use --labels joint or give the labels',
    ],
    [
      "labels: 'infer' says which classes there are; search them with 'joint', or take the approach 'surrogate' or 'one-step'",
      '--labels infer says which classes there are; search them with --labels joint, or take --approach surrogate or one-step',
    ],
    [
      "no gradient for weight 'a' [2]. If it was not shared, say missing: ['a'], or missing: 'allowed'",
      "no gradient for weight 'a' [2]. If it was not shared, say --partial",
    ],
    [
      'an update was given; say how it came about: update: { learningRate: 0.01, … }',
      'an update was given; say how it came about: --learning-rate 0.01',
    ],
    ['known has every input (x): nothing is left to search', '--known has every input (x): nothing is left to search'],
    [
      "expect L-BFGS to fail, and try optimizer: 'adam' with distance: 'cosine'; that it fails is no assurance",
      'expect L-BFGS to fail, and try --optimizer adam with --distance cosine; that it fails is no assurance',
    ],
  ])('%s', (message, words) => expect(inFlags(message)).toBe(words))

  it.each([
    "--labels is 'guess'; it must be joint or infer or classes such as 3,1",
    "/tmp/scale/g.npz: 'labels' has shape [3]; the weight has [4]",
    '2 labels for a batch of 1; give one for each sample',
    "the output of model 'batchSize' is [2]; for 1 samples it must be [1, …]",
    'layers.json: map has no layer names; it must be like {"map": {"conv1": "conv2d_Conv2D1"}}',
    'truncated PNG',
  ])('and leave the rest as it is: %s', (message) => expect(inFlags(message)).toBe(message))

  it('names what is no flag of the command as the call does', () => {
    const options = { seed: { value: 'N', help: '' }, labels: { value: 'N', help: '' } }
    const said = (message: string) => inFlags(message, options)
    expect(said('batchSize is 0; it must be a whole number')).toBe('batchSize is 0; it must be a whole number')
    expect(said("seed is 'x'; it must be a whole number")).toBe("--seed is 'x'; it must be a whole number")
    expect(said("use labels: 'joint', with scale: 'auto'")).toBe("use --labels joint, with scale: 'auto'")
    expect(inFlags("seed is 'x', scale: 'auto'", {})).toBe("seed is 'x', scale: 'auto'")
  })
})
