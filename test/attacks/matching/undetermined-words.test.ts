import { expect, it } from 'vitest'
import type { LeakageCertainty } from '../../../src/attacks/matching/certainty-tensors'
import { undeterminedWords } from '../../../src/attacks/matching/undetermined-words'

/** What was found where nothing is determined otherwise. */
const certainty = (own: Partial<LeakageCertainty>) =>
  ({
    ...{ determined: false, fraction: 0, free: 0, mixtures: false, others: [], examined: 'every direction' },
    undetermined: { labels: [], scale: false },
    ...own,
  }) as unknown as LeakageCertainty

it('a match says what of it is not determined', () => {
  const words = (own: Partial<LeakageCertainty>, marked?: string) =>
    undeterminedWords({ certainty: certainty(own) }, marked)
  expect(words({ mixtures: true })).toBe(
    'not determined: how many samples there were: the mean of several has the gradient of one',
  )
  expect(words({ fraction: 0.004, free: 3, examined: 'a subspace' }, 'hatched in pictures')).toBe(
    'not determined: 0.4 % of the numbers of the data (hatched in pictures), in at least 3 combinations',
  )
  expect(words({ fraction: 0.25, free: 3 })).toBe('not determined: 25 % of the numbers of the data, in 3 combinations')
  expect(words({ fraction: 0.25, examined: 'single unknowns' })).toBe(
    'not determined: at least 25 % of the numbers of the data',
  )
  expect(words({ free: 1 })).toBe('not determined: in 1 combination, each number hardly moves')
  expect(undeterminedWords({ certainty: undefined })).toBeUndefined()
  expect(words({ determined: true })).toBeUndefined()
})
