import { random } from '../src/numbers/random'
import { inferTableSchema, type TableRecord, type TableSchema } from '../src/tabular'

/** Categories with their shares in the census table, in percent; the order is that of a one-hot block. */
const SHARES = {
  workclass: {
    ...{ Private: 69.7, 'Self-emp-not-inc': 7.8, 'Local-gov': 6.4, '?': 5.6, 'State-gov': 4.0, 'Self-emp-inc': 3.4 },
    ...{ 'Federal-gov': 2.9, 'Without-pay': 0.1, 'Never-worked': 0.1 },
  },
  education: {
    ...{ 'HS-grad': 32.2, 'Some-college': 22.4, Bachelors: 16.4, Masters: 5.3, 'Assoc-voc': 4.2, '11th': 3.6 },
    ...{ 'Assoc-acdm': 3.3, '10th': 2.9, '7th-8th': 2.0, 'Prof-school': 1.8, '9th': 1.6, '12th': 1.3, Doctorate: 1.3 },
    ...{ '5th-6th': 1.0, '1st-4th': 0.5, Preschool: 0.2 },
  },
  'marital-status': {
    ...{ 'Married-civ-spouse': 46, 'Never-married': 32.8, Divorced: 13.6, Separated: 3.1, Widowed: 3.1 },
    ...{ 'Married-spouse-absent': 1.3, 'Married-AF-spouse': 0.1 },
  },
  occupation: {
    ...{ 'Prof-specialty': 12.7, 'Craft-repair': 12.6, 'Exec-managerial': 12.5, 'Adm-clerical': 11.6, Sales: 11.2 },
    ...{ 'Other-service': 10.1, 'Machine-op-inspct': 6.1, '?': 5.7, 'Transport-moving': 4.9, 'Handlers-cleaners': 4.2 },
    ...{ 'Farming-fishing': 3.1, 'Tech-support': 3.0, 'Protective-serv': 2.0, 'Priv-house-serv': 0.5 },
    ...{ 'Armed-Forces': 0.1 },
  },
  relationship: {
    ...{ Husband: 40.5, 'Not-in-family': 25.5, 'Own-child': 15.6, Unmarried: 10.6, Wife: 4.8, 'Other-relative': 3.0 },
  },
  race: { White: 85.4, Black: 9.6, 'Asian-Pac-Islander': 3.1, 'Amer-Indian-Eskimo': 1.0, Other: 0.9 },
  sex: { Male: 66.9, Female: 33.1 },
  'native-country': {
    ...{ 'United-States': 89.6, Mexico: 1.9, '?': 1.8, Philippines: 0.6, Germany: 0.42, 'Puerto-Rico': 0.37 },
    ...{ Canada: 0.37, 'El-Salvador': 0.32, India: 0.31, Cuba: 0.28, England: 0.26, China: 0.25, South: 0.24 },
    ...{ Jamaica: 0.22, Italy: 0.21, 'Dominican-Republic': 0.21, Japan: 0.19, Guatemala: 0.18, Poland: 0.18 },
    ...{ Vietnam: 0.18, Columbia: 0.17, Haiti: 0.15, Portugal: 0.14, Taiwan: 0.13, Iran: 0.12, Greece: 0.1 },
    ...{ Nicaragua: 0.1, Peru: 0.09, Ecuador: 0.09, France: 0.08, Ireland: 0.08, Thailand: 0.06, Hong: 0.06 },
    ...{ Cambodia: 0.06, 'Trinadad&Tobago': 0.06, Laos: 0.05, 'Outlying-US': 0.04, Yugoslavia: 0.05 },
    ...{ Scotland: 0.04, Honduras: 0.04, Hungary: 0.04, 'Holand-Netherlands': 0.01 },
  },
} as const

/** Years of schooling behind each education, as the census table counts them. */
const SCHOOLING: Readonly<Record<string, number>> = {
  ...{ Preschool: 1, '1st-4th': 2, '5th-6th': 3, '7th-8th': 4, '9th': 5, '10th': 6, '11th': 7, '12th': 8 },
  ...{ 'HS-grad': 9, 'Some-college': 10, 'Assoc-voc': 11, 'Assoc-acdm': 12, Bachelors: 13, Masters: 14 },
  ...{ 'Prof-school': 15, Doctorate: 16 },
}

const MARRIED = 'Married-civ-spouse'

const WHITE_COLLAR = ['Prof-specialty', 'Exec-managerial', 'Tech-support']

const NUMBERS = ['age', 'fnlwgt', 'education-num', 'capital-gain', 'capital-loss', 'hours-per-week'] as const

/** The columns in the order of the model's inputs: six numbers, then eight blocks; 6 + 102 inputs. */
const ADULT_COLUMNS = [...NUMBERS, ...(Object.keys(SHARES) as (keyof typeof SHARES)[])] as const

/** All categories of a column, also those that a sample of the table does not have. */
const ADULT_CATEGORIES: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  Object.entries(SHARES).map(([name, shares]) => [name, Object.keys(shares)]),
)

/** A record with whether its income is above 50K. */
export interface AdultSample {
  readonly record: TableRecord
  readonly label: 0 | 1
}

/** The table as the text of a CSV file, with its label. */
export const adultCsv = (samples: readonly AdultSample[]): string =>
  [
    [...ADULT_COLUMNS, 'income'].join(','),
    ...samples.map(({ record, label }) =>
      [...ADULT_COLUMNS.map((name) => record[name]), label ? '>50K' : '<=50K'].join(','),
    ),
  ].join('\n')

/** The schema of a client whose encoder was fitted to these samples, and knows all categories. */
export const adultSchema = (samples: readonly AdultSample[]): TableSchema =>
  inferTableSchema(adultCsv(samples), { exclude: ['income'], categories: ADULT_CATEGORIES })

/**
 * Records like those of the census table "Adult": its columns, their categories and shares, and the ties between them that
 * matter here. Education decides the years of schooling, and pulls occupation and hours. Age and sex decide marriage, and both
 * decide the relationship. A country other than the United States changes the race. Nearly all capital gains and losses are
 * zero, with a heavy tail. Whoever does not work has neither an occupation nor a class of work.
 */
export function adultTable(rows: number, seed: number): AdultSample[] {
  const from = random(seed, 0x6164)
  const pick = (shares: Readonly<Record<string, number>>, weigh: (name: string) => number = () => 1): string => {
    const weights = Object.entries(shares).map(([name, share]) => [name, share * weigh(name)] as const)
    let left = from.uniform() * weights.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [name, weight] of weights) {
      left -= weight
      if (left < 0) return name
    }
    return weights[weights.length - 1][0]
  }
  const whole = (value: number, low: number, high: number): number => Math.round(Math.min(high, Math.max(low, value)))
  return Array.from({ length: rows }, () => {
    const age = whole(17 + 31 * (from.uniform() + from.uniform()) ** 1.3 * from.uniform() ** 0.3, 17, 90)
    const sex = pick(SHARES.sex)
    const education = pick(SHARES.education, (name) =>
      age < 22 && SCHOOLING[name] > 12 ? 0.02 : age > 60 && SCHOOLING[name] < 8 ? 2 : 1,
    )
    const schooling = SCHOOLING[education]
    const marital = pick(SHARES['marital-status'], (name) => {
      if (name === 'Never-married') return age < 25 ? 6 : age < 35 ? 1.3 : 0.35
      if (name === 'Widowed') return age > 60 ? 5 : 0.2
      return age < 22 ? 0.1 : name !== MARRIED ? 1 : sex === 'Male' ? 1.5 : 0.25
    })
    const relationship = pick(SHARES.relationship, (name) => {
      if (marital === MARRIED)
        return name === (sex === 'Male' ? 'Husband' : 'Wife') ? 50 : name === 'Own-child' ? 0.1 : 0.02
      if (name === 'Husband' || name === 'Wife') return 0
      return name === 'Own-child' ? (age < 25 ? 4 : 0.3) : 1
    })
    const idle = from.uniform() < (age > 64 ? 0.25 : age < 20 ? 0.15 : 0.03)
    const occupation = idle
      ? '?'
      : pick(SHARES.occupation, (name) => {
          if (name === '?') return 0.05
          if (WHITE_COLLAR.includes(name)) return schooling > 12 ? 3 : schooling < 9 ? 0.15 : 0.7
          if (name === 'Adm-clerical' || name === 'Other-service') return sex === 'Female' ? 2.2 : 0.6
          return schooling > 12 ? 0.35 : sex === 'Female' && name === 'Craft-repair' ? 0.1 : 1.2
        })
    const workclass =
      occupation === '?'
        ? '?'
        : pick(SHARES.workclass, (name) => (name === '?' ? 0 : name.endsWith('-gov') && schooling > 12 ? 2 : 1))
    const country = pick(SHARES['native-country'], (name) => (name === 'Mexico' && schooling < 8 ? 8 : 1))
    const asian = ['Philippines', 'India', 'China', 'South', 'Japan', 'Vietnam', 'Taiwan', 'Hong', 'Laos', 'Cambodia']
    const race = pick(SHARES.race, (name) => {
      if (asian.includes(country)) return name === 'Asian-Pac-Islander' ? 60 : 0.1
      return ['Jamaica', 'Haiti'].includes(country) && name === 'Black' ? 60 : 1
    })
    const steady = from.uniform() < 0.47 && !idle
    const hours = steady
      ? 40
      : whole((idle ? 28 : sex === 'Male' ? 44 : 37) + (schooling > 12 ? 2 : 0) + 15 * from.normal(), 1, 99)
    const score =
      -6.2 +
      0.35 * schooling +
      (marital === MARRIED ? 2.2 : 0) +
      0.03 * (age - 38) +
      0.03 * (hours - 40) +
      0.3 * from.normal()
    const label = from.uniform() < 1 / (1 + Math.exp(-score)) ? 1 : 0
    const gains = from.uniform() < (label ? 0.21 : 0.04)
    const gain = gains ? (from.uniform() < 0.06 ? 99999 : whole(Math.exp(8.3 + 0.8 * from.normal()), 114, 41310)) : 0
    const loses = !gains && from.uniform() < (label ? 0.1 : 0.03)
    return {
      label,
      record: {
        ...{ age, fnlwgt: whole(Math.exp(12 + 0.55 * from.normal()), 12285, 1484705), 'education-num': schooling },
        ...{ 'capital-gain': gain, 'capital-loss': loses ? whole(1870 + 350 * from.normal(), 155, 4356) : 0 },
        ...{ 'hours-per-week': hours, workclass, education, 'marital-status': marital, occupation, relationship },
        ...{ race, sex, 'native-country': country },
      },
    }
  })
}
