import { countOf } from '../../errors/counted'
import { type Attack, noOptions, outcome } from '../contract/attack'
import { endOf } from '../contract/cut'
import { CLOSED_FORM, nothingIfCut, paced, pauses, pausesOf } from '../contract/pause'
import { type EmbeddingGroups, groupSteps } from './embedding-groups'
import { areOnOneLine } from './row-directions'
import { firstTable, NO_TABLE } from './tables'

/** The basket of every user of a recommender's batch, from the directions of the rows of an embedding table's gradient. */
export const baskets: Attack = {
  name: 'embedding-groups',
  source:
    'Melis et al. 2019, Exploiting Unintended Feature Leakage in Collaborative Learning, on the rows; their directions are linear algebra',
  leaks: 'tokens',
  needs: {
    sees: 'the gradient of the embedding table',
    batch: 'any size, where users have items of their own',
    model: 'adds up or averages rows of a trained table for each sample',
    labels: 'none',
    threatModel: 'A',
  },
  check: noOptions,
  async refuses(target) {
    const found = await firstTable(
      target,
      pauses(() => true),
    )
    if (!found) return NO_TABLE
    const { name, rows, touched, tied } = found
    return tied
      ? `${touched.length} of ${countOf(rows, 'row')} of '${name}' have a gradient, as where the table is the output matrix too: their directions tell nothing`
      : undefined
  },
  async run(target, _, control) {
    const started = performance.now()
    const pause = pausesOf(control, started, CLOSED_FORM)
    const told = (words: string, part?: number) =>
      control.onProgress?.({ attack: 'embedding-groups', words, ...(part !== undefined && { part }) })
    told('the rows of the table')
    const first = await firstTable(target, pause).catch(nothingIfCut)
    /** The best so far: rows of one direction. */
    let best: EmbeddingGroups | undefined
    const found =
      first &&
      (await paced(
        groupSteps(first.table, {
          lost: first.lost,
          users: target.settings.batchSize,
          told: (groups, part) => {
            best = groups
            told('items of several users', part)
          },
        }),
        pause,
      ).catch(nothingIfCut))
    if (!first || !(found ?? best))
      return outcome('embedding-groups', started, control, {
        status: 'cut',
        reason: `${endOf(control)} before the rows were put together`,
      })
    const { name, touched } = first
    const { groups, shared } = (found ?? best)!
    const users = target.settings.batchSize
    const isLine = () =>
      paced(
        areOnOneLine(first.table, touched, first.lost),
        pauses(() => true),
      )
    if (touched.length > 0 && groups.length < users && (await isLine()))
      return outcome('embedding-groups', started, control, {
        status: 'failed',
        reason: `all rows of '${name}' that have a gradient have one direction or its opposite, and there are ${countOf(users, 'user')}: the model says one number of each, which does not tell whose items they are`,
      })
    const several = groups.filter(({ rows }) => rows.length > 1)
    // an item of several users is in each of their baskets, how often is not known
    const sequences = several.map(({ rows, counts }, user) => [
      ...rows.flatMap((row, i) => new Array<number>(counts[i]).fill(row)),
      ...shared.filter((item) => item.groups.includes(user)).map(({ row }) => row),
    ])
    const placed = new Set(sequences.flat()).size
    return outcome('embedding-groups', started, control, {
      status: !found ? 'cut' : several.length > 0 ? 'partial' : 'failed',
      reason: !found
        ? `${endOf(control)} before all rows of several users were told; ${placed} of the ${countOf(touched.length, 'row')} of '${name}' that have a gradient are in the baskets of ${countOf(several.length, 'user')}`
        : several.length > 0
          ? `${placed} of the ${countOf(touched.length, 'row')} of '${name}' that have a gradient are in the baskets of ${countOf(several.length, 'user')}, ${shared.length} of them in several`
          : `no two rows of '${name}' have one direction: each sample looked up one row, the model does not add them up, or there is noise that nobody stated`,
      found: {
        ...(touched.length > 0 && several.length > 0 && { tokens: touched }),
        ...(several.length > 0 && { sequences }),
      },
    })
  },
}
