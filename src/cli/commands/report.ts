import { DlgError } from '../../errors/dlg-error'
import type { Arguments } from '../arguments'
import type { Command } from '../command'

const FORMATS = ['html', 'json', 'markdown', 'junit', 'sarif'] as const

const FAIL_ON = ['leaked', 'partly', 'never'] as const

/** Judges runs of `dlg audit`, and writes reports. */
export const report: Command = {
  name: 'report',
  usage: 'RUN...',
  summary: 'what an audit says: pages, tables, and an exit code for a pipeline',
  description: `Judges a run of dlg audit, or all parts of one, and writes the reports into the run's folder. Nothing is attacked, so
thresholds can change at any time. "Not recovered" is never "safe".
A page with pictures holds personal data as the originals do; --redact leaves them out.`,
  optionsInFile: true,
  options: {
    format: { value: 'NAME,NAME', default: 'html', help: FORMATS.join(', ') },
    out: { value: 'FOLDER', help: "of the reports (default: the first run's)" },
    'fail-on': {
      value: 'WHAT',
      help: `leaked (data), partly (labels and tokens too), never (default: the audit file's, else leaked)`,
    },
    config: { value: 'FILE', help: 'the audit file: its thresholds, failOn and accepted findings' },
    baseline: { value: 'RUN', help: 'an older run: what it had already, as bad or worse, does not count' },
    psnr: { value: 'DB', help: 'from which an original counts as recognised (default 20)' },
    margin: { value: 'DB', help: 'by which it must be closer than every guess (default 3)' },
    redact: { help: 'no pictures' },
    help: { help: 'this text' },
  },
  examples: [
    'dlg report audit-run',
    'dlg report audit-run --format html,junit,markdown --fail-on partly',
    'dlg report part-1 part-2 --out whole',
    'dlg report audit-run --baseline last-week --config audit.json',
  ],
  exitCodes: [
    [0, 'nothing is above the threshold of --fail-on: no evidence of safety'],
    [1, 'a leak that is neither accepted nor in the baseline'],
    [2, 'bad input, or an attack broke down: it outranks a leak, which is in the reports all the same'],
    [3, 'inconclusive: for some data no attack says anything, or trials are missing; a leak outranks it'],
    [74, 'standard output cannot be written; the reports are in their place'],
  ],
  async run(args, terminal) {
    const runs = args.positionals
    if (runs.length === 0 || runs.some((run) => run.trim() === ''))
      throw new DlgError('invalid-option', 'no run given; give the folder that dlg audit wrote')
    const [psnr, margin] = [args.number('psnr', 1000), args.number('margin', 1000)]
    const [config, baseline, failOn] = ['config', 'baseline', 'fail-on'].map(args.text)
    const options = {
      ...{ runs, formats: formatsOf(args), out: args.text('out') ?? runs[0], redact: args.has('redact') },
      ...(config !== undefined && { config }),
      ...(baseline !== undefined && { baseline }),
      ...(failOn !== undefined && { failOn: args.choice('fail-on', FAIL_ON) }),
      thresholds: { ...(psnr !== undefined && { psnr }), ...(margin !== undefined && { margin }) },
    }
    const { reportRuns } = await import('../audit/report')
    return reportRuns(options, terminal)
  },
}

function formatsOf(args: Arguments): readonly (typeof FORMATS)[number][] {
  const words = args
    .text('format')!
    .split(',')
    .map((word) => word.trim())
  const stranger = words.find((word) => !FORMATS.includes(word as 'html'))
  if (stranger === undefined) return [...new Set(words)] as (typeof FORMATS)[number][]
  throw new DlgError(
    'invalid-option',
    `--format has '${stranger}'; it must be ${FORMATS.join(', ')}, separated by commas`,
  )
}
