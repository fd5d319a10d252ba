import { readFileSync } from 'node:fs'
import Ajv from 'ajv/dist/2020'
import Ajv4 from 'ajv-draft-04'
import addFormats from 'ajv-formats'
import { describe, expect, it } from 'vitest'
import { validateXML } from 'xmllint-wasm'
import { judge, type RunAbout, type TrialAssumptions, type TrialRecord, withoutKnown } from '../../../src/audit'
import type { Image } from '../../../src/io'
import { auditHtml, auditJson, auditJunit, auditMarkdown, auditSarif } from '../../../src/report'

const NASTY = '<img src=x onerror="alert(1)">&\'|\u0007'
const about: RunAbout = {
  ...{ versions: { 'dlg-ts': '0.1.0', node: 'v20' }, seed: 7, evaluations: 500, batchSize: 1 },
  command: `npx dlg-ts audit ${NASTY}`,
}

const trial = (client: number, attack: string, defence: string, given: Partial<TrialRecord>): TrialRecord => ({
  ...{ type: 'trial', key: `${client}${attack}${defence}`, client, samples: [`${NASTY} ${client}`], attack, defence },
  ...{ description: defence === 'none' ? 'no defence' : `${defence} ${NASTY}`, attacker: 'adaptive', reason: NASTY },
  ...{ status: 'failed', evidence: {}, evaluations: 100, milliseconds: 2000, ...given },
})
const measured = (psnr: number) => [
  { sample: `${NASTY} 0`, slot: 0, mse: 0.1, psnr, baselines: { gray: 10, mean: 12 }, rank: 1, among: 3 },
]
const utility = { cosine: 0.9, relativeError: 0.2 }
const assumes: TrialAssumptions = {
  ...{ threatModel: 'C', batchSize: 4, mode: 'training', labels: 'not given', steps: 5, stage: NASTY },
} as const
const judgement = judge({
  plan: { undefended: true, withData: true },
  records: [
    trial(0, 'dense-inversion', 'none', { status: 'proven', measured: measured(70), evaluations: 0, assumes }),
    trial(0, 'gradient-matching', 'none', { status: 'not-tried' }),
    trial(0, 'label-inference', 'none', { status: 'partial', labels: { right: 1, of: 1, classes: 1 }, evaluations: 0 }),
    trial(0, 'dense-inversion', 'noise', { status: 'failed', measured: measured(9), utility }),
    trial(0, 'gradient-matching', 'noise', { measured: measured(9), utility, assumes }),
    trial(0, 'label-inference', 'noise', { status: 'error', utility }),
    trial(0, 'spear', 'noise', { status: 'refused', utility }),
  ],
})

/** Whether JUnit's XML is what Jenkins reads; the schema is in test/fixtures. */
async function junitErrors(...files: string[]): Promise<string[]> {
  const { errors } = await validateXML({
    xml: files.map((contents, i) => ({ fileName: `${i}.xml`, contents })),
    schema: readFileSync('test/fixtures/schemas/jenkins-junit.xsd', 'utf8'),
  })
  return errors.map(({ rawMessage }) => rawMessage)
}

/** Checks a report by SARIF's schema, which is in test/fixtures. */
function sarif() {
  const ajv = new Ajv4({ strict: false, unicodeRegExp: false })
  addFormats(ajv)
  return ajv.compile(JSON.parse(readFileSync('test/fixtures/schemas/sarif-2.1.0-rtm.5.json', 'utf8')))
}

describe('the report', () => {
  it('in JUnit is no success where nothing was run', async () => {
    const planned = { undefended: true, withData: true, trials: 3 }
    const none = auditJunit(judge({ plan: { ...planned, trials: 0 }, records: [] }))
    expect(none).toContain('tests="1" failures="0" errors="1"')
    expect(none).toContain('message="no attack was run"')
    const interrupted = auditJunit(judge({ plan: planned, records: [] }))
    expect(interrupted).toContain('errors="1"')
    expect(interrupted).toContain('message="trials are missing from the run: 3"')
    expect(await junitErrors(none, interrupted)).toEqual([])
  })

  it('in every form says which leaks do not count, and why', async () => {
    const accepted = [{ defence: 'none', attack: 'dense-inversion', reason: NASTY, until: '2999-01-01' }]
    const { known } = withoutKnown(judgement, { accepted, today: '2026-01-01' })
    expect(known).toHaveLength(1)

    expect(auditHtml(judgement, about, undefined, known)).toMatch(
      /do not count<\/h2><ul><li>leaked \(proven\): no defence: dense-inversion: 1 of 1 client: &#60;img/,
    )
    expect(auditHtml(judgement, about)).not.toContain('do not count')
    const lines = auditMarkdown(judgement, about, known).split('\n')
    expect(lines[lines.indexOf('Not counted:') + 2]).toMatch(
      /^- leaked \(proven\): no defence: dense-inversion: 1 of 1/,
    )
    const schema = JSON.parse(readFileSync('docs/audit-report.schema.json', 'utf8'))
    const report = JSON.parse(auditJson(judgement, about, known))
    expect(new Ajv({ strict: true, allowUnionTypes: true }).compile(schema)(report)).toBe(true)
    expect(report.known).toEqual([{ key: '0dense-inversionnone', reason: NASTY }])
    const xml = auditJunit(judgement, 'leaked', known)
    expect(xml).toMatch(/name="dense-inversion"[^>]*><skipped>not counted: &#60;img.*leaked \(proven\): /)
    expect(xml).toContain('failures="0"')
    // another leak still fails
    expect(auditJunit(judgement, 'partly', known)).toContain('failures="1"')
    expect(await junitErrors(xml)).toEqual([])
    const code = JSON.parse(auditSarif(judgement, about, 'audit.json', known))
    const suppressed = code.runs[0].results.map(({ ruleId, suppressions }: Record<string, unknown>) => [
      ruleId,
      suppressions,
    ])
    expect(suppressed).toEqual([
      ['leak/dense-inversion', [{ kind: 'external', status: 'accepted', justification: NASTY }]],
      ['leak/label-inference', undefined],
    ])
    expect(sarif()(code)).toBe(true)
  })

  it('in JUnit’s XML fails where one client’s leak counts beside another’s that does not', () => {
    const two = judge({
      plan: { undefended: true, withData: true },
      records: [0, 1, 2].map((client) =>
        trial(client, 'dense-inversion', 'none', {
          ...(client === 2 ? { status: 'error' } : { status: 'proven', measured: measured(70) }),
        }),
      ),
    })
    const [first, second] = two.rows[0].trials.map((one) => ({ trial: one, reason: 'old' }))
    expect(auditJunit(two, 'leaked', [first])).toContain('<failure ')
    // what broke down stays an error
    expect(auditJunit(two, 'leaked', [first, second])).toMatch(/<error [^>]*type="error"/)
    expect(auditJunit(two, 'never', [first, second])).toMatch(/<error [^>]*type="error"/)
  })

  it('as JSON has the form of its schema', () => {
    const schema = JSON.parse(readFileSync('docs/audit-report.schema.json', 'utf8'))
    const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile(schema)
    const report = JSON.parse(auditJson(judgement, about))
    expect(validate(report), JSON.stringify(validate.errors)).toBe(true)
    expect(validate({ ...report, verdict: 'safe' })).toBe(false)
    expect(report.rows[0].trials[0].assumes).toEqual(assumes)
    // every kind of measure, and a search
    const cells = [{ sample: 'a', slot: 0, right: 5, of: 6, guess: 2 }]
    const tokens = { exact: 0, sequences: 1, right: 2, of: 3, claimed: 3, guess: 1 }
    const kinds = judge({
      plan: { undefended: true, withData: true },
      records: [
        trial(0, 'tableak', 'none', { cells, trace: [[1, 0.5]] }),
        trial(0, 'token-set', 'none', { tokens, status: 'partial' }),
      ],
    })
    expect(validate(JSON.parse(auditJson(kinds, about))), JSON.stringify(validate.errors)).toBe(true)
    // 5 of 6 cells are less than 90 %, and more than half of those that a guess has wrong
    expect(kinds.rows[0].trials[0].shown).toEqual(['1 of 1 record closer than every guess'])
    expect(
      validate(JSON.parse(auditJson(judge({ plan: { undefended: true, withData: true }, records: [] }), about))),
    ).toBe(true)
    expect(validate({ ...report, version: 2 })).toBe(false)
  })

  it('as HTML shows nothing of what it was given as markup, asks no network, and says it in words', () => {
    const image: Image = { width: 2, height: 2, data: new Float32Array(12).fill(0.5) }
    const pictures = {
      originals: new Map([[`${NASTY} 0`, image]]),
      found: new Map([['0dense-inversionnone', [image]]]),
    }
    const page = auditHtml(judgement, about, pictures)
    expect(page).not.toContain('<img src=x')
    expect(page).not.toContain('\u0007')
    expect(page).not.toMatch(/(src|href)="(?!data:)|<script|url\(|@import/)
    expect(page.match(/<img src="data:image\/png;base64,/g)).toHaveLength(2)
    for (const words of ['leaked (proven)', 'treat it as you treat the data', 'Every trial', 'Assumptions'])
      expect(page).toContain(words)
    expect(page).toContain(
      'C (parameter-aware eavesdropper), batch of 4, training mode, labels not given, 5 local steps',
    )
    expect(auditHtml(judgement, about)).not.toContain('<img')
    // every element that is opened is closed
    const open: string[] = []
    for (const [, end, name] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)[^>]*?(?<!\/)>/g)) {
      if (['meta', 'img', 'br'].includes(name)) continue
      if (end) expect(open.pop()).toBe(name)
      else open.push(name)
    }
    expect(open).toEqual([])
  })

  it('as HTML shows how searches converged, and how much samples differ', () => {
    const trace = [
      [1, 0.9],
      [10, 1e-3],
    ] as const
    const two = (sample: string, psnr: number) => ({ ...measured(psnr)[0], sample })
    const run = judge({
      plan: { undefended: true, withData: true },
      records: [
        trial(0, 'gradient-matching', 'none', { trace, measured: [two('a', 12), two('b', 31)] }),
        trial(0, 'gradient-matching', 'noise', { trace, floor: 0.1, measured: [two('a', 9), two('b', 8)], utility }),
        trial(1, 'gradient-matching', 'noise', { trace: [[1, 0.5]], floor: 0.1, measured: [two('c', 20)], utility }),
      ],
    })
    const page = auditHtml(run, about)
    const charts = [...page.matchAll(/<figure class="chart">.*?<\/figure>/gs)].map(([chart]) => chart)
    expect(charts).toHaveLength(2)
    const noisy = charts.find((chart) => chart.includes('noise'))!
    expect(noisy.match(/class="trace/g)).toHaveLength(2)
    expect(noisy).toContain('2 searches, ending at 1.0e-3 to 5.0e-1')
    // axes are logarithmic: 10 evaluations are at the right end, 1e-3 at the bottom, and a floor of 0.1² at two thirds
    expect(noisy).toContain('d="M40.0 9.8H232.0V128.0"')
    expect(noisy).toMatch(/class="floor" x1="40" x2="232" y1="88.0"/)
    // the median of 12 and 31, and of 8, 9 and 20; a sample counts once
    expect(page).toContain('cosine 1.000, 21.5 dB (12.0 to 31.0)')
    expect(page).toContain('cosine 0.900, 9.0 dB (8.0 to 20.0)')
    expect(page.match(/class="bar"/g)).toHaveLength(2)
    expect(auditHtml(judgement, about)).not.toContain('How the searches converged')
  })

  it('as JUnit has a failure for a leak, an error for what broke down or says nothing, and skips what was not run', () => {
    const xml = auditJunit(judgement)
    const count = (pattern: RegExp) => xml.match(pattern)?.length ?? 0
    expect(xml).toMatch(
      /^<\?xml version="1.0" encoding="UTF-8"\?>\n<testsuites name="[^"]*" tests="7" failures="1" errors="2">/,
    )
    expect([count(/<testsuite /g), count(/<failure /g), count(/<error /g), count(/<skipped>/g)]).toEqual([2, 1, 2, 2])
    expect(xml).not.toContain('\u0007')
    expect(xml).not.toContain('<img')
    expect(auditJunit(judgement, 'partly')).toContain('failures="2"')
    expect(auditJunit(judgement, 'never')).toContain('failures="0"')
  })

  it('as JUnit has the form of its schema', async () => {
    const part = judge({ plan: { undefended: true, withData: true, trials: 3 }, records: [trial(0, 'spear', 'a', {})] })
    const files = (['leaked', 'partly', 'never'] as const).map((failOn) => auditJunit(judgement, failOn))
    expect(await junitErrors(...files, auditJunit({ ...judgement, ...part }))).toEqual([])
    expect(files[0].match(/<system-out>assumes: C \(parameter-aware eavesdropper\), batch of 4/g)).toHaveLength(2)
    expect(await junitErrors(files[0].replace(' name="', ' title="'))).not.toEqual([])
  })

  it('as Markdown is one table, whatever stands in the names', () => {
    const lines = auditMarkdown(judgement, about).split('\n')
    const table = lines.filter((line) => line.startsWith('|'))
    expect(table.map((line) => line.replaceAll('\\|', '').split('|').length)).toEqual([11, 11, 11, 11])
    expect(table[2] + table[3]).toContain('C (parameter-aware eavesdropper), batch of 4, training mode')
    expect(lines[0]).toBe('## Gradient leakage: leaked (proven)')
  })

  it('as Markdown shows names and commands as they are', () => {
    const evil = '<img src=x onerror=alert(1)>|`x`\n## Safe: *nothing* [leaked](x) &amp;'
    const judged = judge({
      plan: { undefended: true, withData: true },
      records: [{ ...trial(0, 'spear', 'a', { status: 'proven', measured: measured(60) }), description: evil }],
    })
    const page = (command: string) => auditMarkdown(judged, { ...about, command }).split('\n')
    const lines = page('dlg audit `rm` ``\n## hi')
    expect(lines.find((line) => line.includes('img'))).toContain(
      '| &#60;img src=x onerror=alert(1)&#62;\\|\\`x\\` \\#\\# Safe: \\*nothing\\* \\[leaked\\](x) &#38;amp; |',
    )
    expect(lines.filter((line) => line.startsWith('#'))).toHaveLength(1)
    expect(lines.at(-2)).toBe('Again: ``` dlg audit `rm` `` ## hi ```')
    expect(page('dlg audit').at(-2)).toBe('Again: `dlg audit`')
  })

  it('does not round a cosine up to 1, or a part of cells', () => {
    const near = (cosine: number, right = 299) =>
      judge(
        {
          plan: { undefended: true, withData: true },
          records: [
            trial(0, 'tableak', 'a', {
              ...{ status: 'matched', utility: { cosine, relativeError: 0.1 } },
              cells: [{ sample: 'a', slot: 0, right, of: 300, guess: 100 }],
            }),
          ],
        },
        { cells: 0.996 },
      )
    for (const make of [auditMarkdown, auditHtml]) {
      expect(make(near(0.99996), about)).toContain('0.999')
      expect(make(near(0.99996), about)).not.toContain('1.000')
      expect(make(near(-0.99996), about)).toContain('-0.999')
      expect(make(near(1 - 1e-15), about)).toContain('1.000')
    }
    expect(auditMarkdown(near(1), about)).toContain('at least 99.6 % of the cells')
  })

  it('says so where the run is not whole, in every form that people read', () => {
    const part = {
      ...judgement,
      ...judge({ plan: { undefended: true, withData: true, trials: 3 }, records: [trial(0, 'spear', 'a\\|b', {})] }),
    }
    const words = '2 trials are missing: the run is not whole'
    for (const page of [auditHtml(part, about), auditMarkdown(part, about), auditJunit(part)])
      expect(page).toContain(words)
    expect(JSON.parse(auditJson(part, about)).missing).toBe(2)
    // nothing of the run is above the threshold, and a defence is inconclusive: the page says what that means
    expect(auditHtml(part, about)).toContain('it says nothing')
    expect(auditJunit(part)).toMatch(
      /all attacks together.*whether the data of 1 client leak is not known; trials are missing/,
    )
    const row = auditMarkdown(part, about)
      .split('\n')
      .find((line) => line.startsWith('| a'))!
    expect(row).toContain('| a\\\\\\|b')
  })

  it('as SARIF has the form of its schema', () => {
    const validate = sarif()
    const report = JSON.parse(auditSarif(judgement, about, 'folder of audits/#100%.json'))
    expect(validate(report), JSON.stringify(validate.errors)).toBe(true)
    // a path is no URI as it is
    const { uri } = report.runs[0].results[0].locations[0].physicalLocation.artifactLocation
    expect(uri).toBe('folder%20of%20audits/%23100%25.json')
    expect(validate(JSON.parse(auditSarif({ ...judgement, rows: [] }, about, 'a.json')))).toBe(true)
    expect(validate({ ...report, version: '2.2.0' })).toBe(false)
  })

  it('as SARIF has what needs no search alone, with fingerprints that stay', () => {
    const { version, runs } = JSON.parse(auditSarif(judgement, about, 'audit.json'))
    expect(version).toBe('2.1.0')
    expect(runs[0].results.map(({ ruleId, level }: { ruleId: string; level: string }) => [ruleId, level])).toEqual([
      ['leak/dense-inversion', 'error'],
      ['leak/label-inference', 'warning'],
    ])
    const rules = runs[0].tool.driver.rules.map(({ id }: { id: string }) => id)
    for (const { ruleId, ruleIndex, partialFingerprints, locations } of runs[0].results) {
      expect(rules[ruleIndex]).toBe(ruleId)
      expect(partialFingerprints['dlgTrial/v1']).toBe(`${ruleId.slice(5)}/adaptive/no defence`)
      expect(locations[0].physicalLocation.artifactLocation.uri).toBe('audit.json')
    }
  })
})
