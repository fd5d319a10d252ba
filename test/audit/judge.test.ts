import { describe, expect, it } from 'vitest'
import { exitCodeOf, judge, type MeasuredOriginal, type TrialRecord, VERDICTS, withoutKnown } from '../../src/audit'
import {
  clipping,
  composed,
  type Defence,
  dpSgd,
  gaussianNoise,
  laplaceNoise,
  pruning,
  quantised,
  signs,
  topK,
  withheld,
} from '../../src/defences'

const plan = { undefended: false, withData: true }

/** A trial of one client; the attack is `search`, and nothing was found. */
const trial = (given: Partial<TrialRecord> = {}): TrialRecord => {
  const { client = 0, attack = 'search', defence = 'noise', attacker = 'adaptive' } = given
  return {
    ...{
      type: 'trial',
      key: `${client} ${attack} ${defence} ${attacker}`,
      client,
      samples: [`s${client}`],
      attack,
      defence,
    },
    ...{
      description: defence === 'none' ? 'no defence' : defence,
      attacker,
      status: 'failed',
      reason: 'it ended stalled',
    },
    ...{ evidence: {}, evaluations: 10, milliseconds: 1, ...given },
  }
}

const at = (psnr: number, guess = 12): MeasuredOriginal => ({
  ...{
    sample: 's0',
    slot: 0,
    mse: 10 ** (-psnr / 10),
    psnr,
    baselines: { gray: guess, mean: guess, decoy: guess - 1 },
  },
  ...{ rank: 1, among: 2 },
})

/** The undefended gradient gives the data away. */
const control = trial({ defence: 'none', status: 'matched', measured: [at(50)] })
const verdictOf = (
  given: Partial<TrialRecord>,
  before: readonly TrialRecord[] = [{ ...control, attack: given.attack ?? control.attack }],
) => judge({ plan, records: [...before, trial(given)] }).rows[0].verdict

describe('the verdict of a trial', () => {
  it.each<[string, Partial<TrialRecord>]>([
    ['leaked-proven', { status: 'proven', measured: [at(60)] }],
    ['leaked-recognised', { status: 'matched', measured: [at(25)] }],
    // recognised without a match: the picture decides
    ['leaked-recognised', { status: 'cut', measured: [at(25)] }],
    // a picture of one colour is its own mean
    ['leaked-recognised', { status: 'matched', measured: [at(45, 44)] }],
    ['partly', { status: 'failed', measured: [at(16)] }],
    ['partly', { status: 'partial', labels: { right: 2, of: 2, classes: 2 } }],
    ['partly', { status: 'partial', tokens: { exact: 0, sequences: 1, right: 5, of: 6, claimed: 7 } }],
    ['leaked-recognised', { status: 'partial', tokens: { exact: 1, sequences: 2, right: 5, of: 6, claimed: 7 } }],
    ['error', { status: 'error' }],
    ['not-recovered', { status: 'failed', measured: [at(13)] }],
    // above 20 dB, and no closer than gray
    ['not-recovered', { status: 'failed', measured: [at(24, 23)] }],
    ['not-recovered', { status: 'partial', labels: { right: 1, of: 2, classes: 2 } }],
    ['not-recovered', { status: 'partial', tokens: { exact: 0, sequences: 1, right: 2, of: 6, claimed: 40 } }],
    // the class of a sentence that is wrong, which a third of guesses have right
    [
      'not-recovered',
      {
        ...{ status: 'partial', tokens: { exact: 0, sequences: 1, right: 0, of: 6, claimed: 1 } },
        labels: { right: 1, of: 1, classes: 1, chance: 0.36 },
      },
    ],
    [
      'partly',
      {
        ...{ status: 'partial', tokens: { exact: 0, sequences: 1, right: 0, of: 6, claimed: 1 } },
        labels: { right: 4, of: 4, classes: 3, chance: 0.01 },
      },
    ],
    // labels that are right, and no luck, are known though the rule does not vouch for them
    ['partly', { attack: 'label-inference', status: 'failed', labels: { right: 4, of: 4, classes: 3, chance: 0.01 } }],
    [
      'not-recovered',
      { attack: 'label-inference', status: 'failed', labels: { right: 1, of: 1, classes: 1, chance: 0.36 } },
    ],
    // a search that failed claims no labels
    ['not-recovered', { status: 'failed', labels: { right: 1, of: 1, classes: 1 }, measured: [at(9)] }],
    ['matched-and-wrong', { status: 'matched', measured: [at(9)], floor: 1e-7 }],
    ['matched-and-wrong', { status: 'proven', measured: [at(9)], floor: 1e-7 }],
    ['matched-to-the-noise', { status: 'matched', measured: [at(9)], floor: 0.3 }],
    // a search on wrong data, whose label anybody guesses, or whose labels nobody does
    [
      'matched-and-wrong',
      { status: 'matched', measured: [at(9)], labels: { right: 1, of: 1, classes: 1, chance: 0.5 } },
    ],
    ['partly', { status: 'matched', measured: [at(9)], labels: { right: 8, of: 8, classes: 4, chance: 0.001 } }],
    ['partly', { status: 'partial', labels: { right: 31, of: 32, classes: 10, chance: 0 } }],
    ['not-recovered', { status: 'partial', labels: { right: 31, of: 32, classes: 2, chance: 0.1 } }],
    // a proof that shows nothing, where the data are known
    ['partly', { status: 'proven' }],
    ['not-tried', { status: 'not-tried' }],
    ['not-applicable', { status: 'refused' }],
  ])('%s: %o', (verdict, given) => {
    expect(verdictOf(given)).toBe(verdict)
  })

  it('says nothing where the attack does not find the undefended data either, or nobody tried', () => {
    const failed = { status: 'failed', measured: [at(9)] } as const
    const powerless = trial({ defence: 'none', ...failed })
    expect(verdictOf(failed, [powerless])).toBe('inconclusive')
    expect(verdictOf(failed, [])).toBe('inconclusive')
    // another client's control is none
    expect(verdictOf(failed, [{ ...control, client: 1 }])).toBe('inconclusive')
  })

  it('takes no failure for anything where the truth is not known', () => {
    const alone = { plan: { undefended: true, withData: false } }
    const verdicts = (['proven', 'matched', 'undetermined', 'partial', 'failed', 'cut'] as const).map((status) => {
      const found = { shape: [1, 2] }
      return judge({ ...alone, records: [trial({ defence: 'none', status, found })] }).verdict
    })
    expect(verdicts).toEqual(['leaked-proven', 'partly', 'partly', 'partly', 'inconclusive', 'inconclusive'])
  })
})

describe('a judgement', () => {
  it('takes the worst of all attacks and attackers, and a failure only from an attack that works without the defence', () => {
    const labels = { right: 1, of: 1, classes: 1 }
    const records = [
      control,
      trial({ defence: 'none', attack: 'labels', status: 'partial', labels }),
      trial({ defence: 'none', attack: 'weak', status: 'failed', measured: [at(8)] }),
      trial({ defence: 'a', attack: 'search', status: 'failed', measured: [at(9)] }),
      trial({ defence: 'a', attack: 'search', attacker: 'unaware', status: 'failed', measured: [at(30)] }),
      // the search was not run here: only labels and an attack that finds nothing anyway
      trial({ defence: 'b', attack: 'labels', status: 'failed', labels: { right: 0, of: 1, classes: 1 } }),
      trial({ defence: 'b', attack: 'weak', status: 'failed', measured: [at(8)] }),
      trial({ defence: 'c', attack: 'search', status: 'failed', measured: [at(9)] }),
      trial({ defence: 'c', attack: 'weak', status: 'failed', measured: [at(9)] }),
      trial({ defence: 'd', attack: 'search', status: 'refused' }),
    ]
    const { defences, verdict, control: controls, summary } = judge({ plan, records })
    expect(defences.map(({ defence, verdict }) => `${defence} ${verdict}`)).toEqual([
      ...['a leaked-recognised', 'b inconclusive', 'c not-recovered', 'd not-applicable'],
    ])
    expect(defences[0].clients[0].by.attacker).toBe('unaware')
    expect(verdict).toBe('leaked-recognised')
    expect(controls).toHaveLength(3)
    expect(summary).toBe(
      'What is shared gives away the data of 1 of 1 client under 1 of 4 defences. 6 attacks were run.',
    )
  })

  it('does not count what broke down among the attacks that were run', () => {
    const records = [
      control,
      trial({ status: 'error' }),
      trial({ attack: 'weak', status: 'failed', measured: [at(8)] }),
    ]
    expect(judge({ plan, records }).summary).toBe(
      'Some attacks broke down, so that nothing can be said. 1 attack was run, and 1 broke down.',
    )
  })

  it('counts every defence under which data leak, proven or recognised', () => {
    const clients = [0, 1].map((client) => ({ client, samples: [`s${client}`] }))
    const proven = clients.map((one) => trial({ ...one, defence: 'none', status: 'proven', measured: [at(60)] }))
    const recognised = clients.map((one) => trial({ ...one, status: 'matched', measured: [at(30)] }))
    const labels = clients.map((one) =>
      trial({ ...one, defence: 'b', status: 'partial', labels: { right: 1, of: 1, classes: 1 } }),
    )
    const wholly = { undefended: true, withData: true }
    expect(judge({ plan: wholly, records: [...proven, ...recognised] }).summary).toContain(
      'the data of 2 of 2 clients under 2 of 2 defences.',
    )
    expect(judge({ plan: wholly, records: [...proven, ...recognised, ...labels] }).summary).toContain(
      'the data of 2 of 2 clients under 2 of 3 defences.',
    )
  })

  it('says what a defence leaves of the gradients of all clients, of each once', () => {
    const of = (client: number, cosine: number, relativeError: number, more: Partial<TrialRecord> = {}) =>
      trial({ client, utility: { cosine, relativeError }, ...more })
    const records = [
      of(0, 1, 0.1),
      of(0, 1, 0.1, { attack: 'other' }),
      of(0, 1, 0.1, { attacker: 'unaware' }),
      of(1, 0.5, 0.7),
      trial({ client: 1, attack: 'other', status: 'refused' }),
    ]
    expect(judge({ plan, records }).defences[0].utility).toEqual({ cosine: 0.75, relativeError: 0.7 })
    expect(judge({ plan, records: [trial()] }).defences[0]).not.toHaveProperty('utility')
  })

  it('changes with its thresholds, without a new attack', () => {
    const records = [control, trial({ status: 'matched', measured: [at(25)] })]
    expect(judge({ plan, records }).verdict).toBe('leaked-recognised')
    expect(judge({ plan, records }, { psnr: 30 }).verdict).toBe('partly')
    expect(judge({ plan, records }, { psnr: 30, margin: 20 }).verdict).toBe('matched-and-wrong')
    expect(() => judge({ plan, records }, { psnr: -1 })).toThrow('from 0 to 1000')
  })

  it('says one label in its singular, and no part of guesses that is not so', () => {
    const shownOf = (of: number, chance?: number) => {
      const labels = { right: of, of, classes: 1, ...(chance !== undefined && { chance }) }
      return judge({ plan, records: [control, trial({ status: 'matched', labels })] }).rows[0].trials[0].shown
    }
    expect(shownOf(1)).toEqual(['the label'])
    expect(shownOf(2, 0.01)).toEqual(['all 2 labels'])
    expect(shownOf(1, 0.25)).toEqual(['the label, as 25 % of guesses have'])
    expect(shownOf(1, 0.996)).toEqual(['the label, as more than 99 % of guesses have'])
    expect(shownOf(1, 1)).toEqual(['the label, as 100 % of guesses have'])
  })

  it('never says safe', () => {
    const sentences = VERDICTS.flatMap((_, i) => {
      const statuses = ['failed', 'cut', 'refused', 'error', 'matched'] as const
      return judge({ plan, records: [control, trial({ status: statuses[i % 5], measured: [at(9)] })] }).summary
    })
    for (const sentence of sentences) expect(sentence).not.toMatch(/\bsafe\b|secure|protected/)
  })
})

describe('the exit code', () => {
  const codeOf = (records: readonly TrialRecord[], failOn?: 'leaked' | 'partly' | 'never') =>
    exitCodeOf(judge({ plan, records: [control, ...records] }), failOn)
  const leak = trial({ status: 'proven', measured: [at(60)] })
  const part = trial({ status: 'partial', labels: { right: 1, of: 1, classes: 1 }, measured: [at(16)] })
  const nothing = trial({ measured: [at(9)] })
  const open = trial({ attack: 'weak', measured: [at(9)] })
  const broken = trial({ client: 1, status: 'error' })

  it('is 0 for nothing, 1 for a leak, 2 for an error, 3 where nothing can be said', () => {
    expect([codeOf([nothing]), codeOf([leak]), codeOf([broken]), codeOf([open])]).toEqual([0, 1, 2, 3])
  })

  it('lets errors outrank leaks, and leaks what is inconclusive', () => {
    expect(codeOf([leak, broken])).toBe(2)
    expect(codeOf([leak, { ...open, client: 1, key: 'x' }])).toBe(1)
  })

  it('is 3, and never 0, where nothing follows for the data', () => {
    const labels = { right: 1, of: 1, classes: 1 }
    // labels alone: whether the data leak is open
    expect(codeOf([trial({ attack: 'labels', status: 'partial', labels })])).toBe(3)
    expect(codeOf([trial({ attack: 'labels', status: 'partial', labels }), nothing])).toBe(0)
    // no attack applies, or the defence cannot be applied
    expect(codeOf([trial({ status: 'refused' })])).toBe(3)
    // the attack that works without the defence is refused, and the other was spared there
    const spared = trial({ defence: 'none', attack: 'weak', status: 'not-tried' })
    const judged = judge({ plan, records: [control, spared, trial({ status: 'refused' }), open] })
    expect([judged.verdict, exitCodeOf(judged)]).toEqual(['inconclusive', 3])
    // what was shared already matches other data, or nobody knows whose
    const shared = trial({ defence: 'none', status: 'matched', found: { shape: [1, 2] } })
    const updates = judge({ plan: { undefended: true, withData: false }, records: [shared] })
    expect([updates.verdict, exitCodeOf(updates)]).toEqual(['partly', 3])
    expect(updates.summary).toContain('Whether the data of 1 of 1 client leak is not known')
  })

  it('is 3 for a run that is not whole and shows no leak', () => {
    const chains = [{ client: 0, defence: undefined, attacker: 'adaptive', trials: [control, nothing] }] as const
    const none = judge({ plan: { ...plan, chains }, records: [] })
    expect([none.missing, exitCodeOf(none)]).toEqual([2, 3])
    expect(none.summary).toContain('2 trials are missing: the run is not whole.')
    const half = (trials: number, records: readonly TrialRecord[]) => {
      const judged = judge({ plan: { ...plan, trials }, records })
      return [judged.missing, exitCodeOf(judged)]
    }
    expect(half(2, [control, nothing])).toEqual([0, 0])
    expect(half(3, [control, nothing])).toEqual([1, 3])
    expect(half(3, [control, leak])).toEqual([1, 1])
  })

  it('is 3 where no attack was run at all', () => {
    for (const records of [[], [control]]) {
      const judged = judge({ plan, records })
      expect([judged.verdict, exitCodeOf(judged), exitCodeOf(judged, 'never')]).toEqual(['not-applicable', 3, 3])
      expect(judged.summary).toBe('No attack was run. That is no evidence of safety.')
    }
  })

  it('counts labels where it is told to', () => {
    expect([codeOf([part]), codeOf([part], 'partly'), codeOf([leak], 'never')]).toEqual([0, 1, 0])
  })

  it('does not count what an older run had, or what is accepted until a day', () => {
    const now = judge({ plan, records: [control, leak] })
    const worse = judge({ plan, records: [control, part] })
    const today = '2026-12-31'
    const left = (known: Omit<Parameters<typeof withoutKnown>[1], 'today'>) =>
      exitCodeOf(withoutKnown(now, { ...known, today }).judgement)
    expect(left({})).toBe(1)
    expect(left({ baseline: now })).toBe(0)
    // it was better before
    expect(left({ baseline: worse })).toBe(1)
    const accepted = { defence: 'noise', attack: '*', reason: 'known', until: '2026-12-31' }
    expect(left({ accepted: [accepted] })).toBe(0)
    expect(left({ accepted: [{ ...accepted, until: '2026-12-30' }] })).toBe(1)
    expect(left({ accepted: [{ ...accepted, attack: 'other' }] })).toBe(1)
    const { known, left: counted } = withoutKnown(now, { accepted: [accepted], today })
    expect([known.map(({ reason, trial: { key } }) => [reason, key]), counted]).toEqual([[['known', leak.key]], []])
    const wrong = [{ defence: 'noise' }] as never
    expect(() => withoutKnown(now, { accepted: wrong, today })).toThrow('accepted[0] is')
  })

  it.each(['31.12.2020', 'never', '2027-02-31', '2027-1-31', ''])('refuses an end that is no day: %s', (day) => {
    const now = judge({ plan, records: [control, leak] })
    const accepted = { defence: 'noise', attack: '*', reason: 'known', until: day }
    expect(() => withoutKnown(now, { accepted: [accepted], today: '2026-12-31' })).toThrow(
      'until must be a day such as 2027-01-31',
    )
    expect(() => withoutKnown(now, { today: day })).toThrow('must be a day such as 2026-12-31')
  })

  it.each<[string, Defence]>([
    ['gaussianNoise', gaussianNoise({ relative: 0.1 })],
    ['laplaceNoise', laplaceNoise({ std: 0.1 })],
    ['clipping', clipping({ norm: 1 })],
    ['dpSgd', dpSgd({ clip: 1, noiseMultiplier: 1 })],
    ['pruning', pruning({ part: 0.5 })],
    ['topK', topK({ part: 0.5 })],
    ['withheld', withheld(['w'])],
    ['quantised', quantised('int8')],
    ['signs', signs()],
    ['composed', composed(clipping({ norm: 1 }), quantised('int8'))],
  ])('accepts by the name in an audit file: %s', (defence, { name, description }) => {
    const found = { ...leak, defence: name, description, attacker: 'unaware' } as const
    const now = judge({ plan, records: [control, found] })
    const left = (one: object) => {
      const accepted = [{ defence, attack: '*', reason: 'known', until: '2026-12-31', ...one }]
      return withoutKnown(now, { accepted, today: '2026-12-31' }).left.length
    }
    expect([left({}), left({ defence: description }), left({ defence: name })]).toEqual([0, 0, 0])
    expect([left({ attack: 'search, unaware' }), left({ attack: 'search, adaptive' })]).toEqual([0, 1])
    expect([left({ defence: 'none' }), left({ defence: `${defence}s` })]).toEqual([1, 1])
  })

  it('tells which accepted findings have no effect, and why', () => {
    const now = judge({ plan, records: [control, leak, trial({ attack: 'weak', measured: [at(9)] })] })
    const one = { defence: 'noise', attack: 'search', reason: 'known', until: '2026-12-31' }
    const accepted = [
      one,
      { ...one, until: '2026-12-30' },
      { ...one, defence: 'clipping' },
      { ...one, attack: 'other' },
      { ...one, attack: 'weak' },
    ]
    const { idle, left } = withoutKnown(now, { accepted, today: '2026-12-31' })
    expect(idle.map(({ entry, why }) => [entry, why])).toEqual([
      [1, 'expired'],
      [2, 'no-defence'],
      [3, 'no-attack'],
      [4, 'no-leak'],
    ])
    expect(left).toEqual([])
    // the other entries count nothing away
    const rest = withoutKnown(now, { accepted: accepted.slice(1), today: '2026-12-31' }).left
    expect(rest.map(({ key }) => key)).toEqual([leak.key])
  })

  it('does not let an accepted finding, or a better run, hide another finding', () => {
    const today = '2026-12-31'
    const accepted = [{ defence: 'noise', attack: 'search', reason: 'known', until: today }]
    const left = (records: readonly TrialRecord[], failOn?: 'partly') => {
      const { judgement } = withoutKnown(judge({ plan, records: [control, ...records] }), { accepted, today })
      return exitCodeOf(judgement, failOn)
    }
    const other = trial({ attack: 'other', status: 'matched', measured: [at(25)] })
    expect([left([leak]), left([leak, other])]).toEqual([0, 1])
    const labels = trial({ attack: 'labels', status: 'partial', labels: { right: 1, of: 1, classes: 1 } })
    expect([left([part, labels]), left([part, labels], 'partly')]).toEqual([0, 1])
    // what is inconclusive is no finding, and cannot be accepted
    const anything = [{ defence: '*', attack: '*', reason: 'known', until: today }]
    const inconclusive = judge({ plan, records: [control, open] })
    const whole = { accepted: anything, baseline: inconclusive, today }
    expect(exitCodeOf(withoutKnown(inconclusive, whole).judgement)).toBe(3)
    // an older run that broke down hides nothing of today's
    const error = judge({ plan, records: [control, trial({ attack: 'weak', status: 'error' })] })
    expect(exitCodeOf(withoutKnown(inconclusive, { baseline: error, today }).judgement)).toBe(3)

    const batch = (...psnrs: number[]) =>
      judge({
        plan,
        records: [control, trial({ status: 'matched', samples: ['a', 'b'], measured: psnrs.map((psnr) => at(psnr)) })],
      })
    const since = (now: number[], before: number[]) =>
      exitCodeOf(withoutKnown(batch(...now), { baseline: batch(...before), today }).judgement)
    expect([since([25, 9], [25, 9]), since([25, 25], [25, 9]), since([25, 9], [25, 25])]).toEqual([0, 1, 0])
    const lax = judge({ plan, records: [control, leak] }, { psnr: 1 })
    expect(() => withoutKnown(batch(25, 9), { baseline: lax, today })).toThrow('was judged with psnr 1; it must be 20')
  })
})
