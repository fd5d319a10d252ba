import { type AttackName, attacks } from '../../attacks'
import {
  type AuditVerdict,
  type JudgedClient,
  type JudgedRow,
  type JudgedTrial,
  type Judgement,
  type KnownLeak,
  type RunAbout,
  VERDICTS,
} from '../../audit'
import { requireAbout, requireKnown, requireWholeJudgement } from '../../audit/checks'
import { requireObject } from '../../errors/checks'
import { countOf } from '../../errors/counted'
import { DlgError } from '../../errors/dlg-error'
import { encodePng, type Image } from '../../io'
import { tradeOff } from './chart'
import { convergenceSection } from './convergence'
import { knownLines } from './known'
import { closestUnder, spreadWords } from './spread'
import { STYLE } from './style'
import {
  assumptionWords,
  attackOf,
  closest,
  cosineWords,
  LETTERS,
  MEANINGS,
  recognisedWords,
  text,
  threatModelWords,
  WORDS,
  work,
} from './words'

/** Pictures of an audit's samples. They are personal data, as the originals are. */
export interface AuditPictures {
  /** By the name of the sample. */
  readonly originals: ReadonlyMap<string, Image>
  /** By the key of the trial, one for each slot. */
  readonly found: ReadonlyMap<string, readonly Image[]>
}

/** Pictures of one row of the table. */
const MOST_PICTURES = 12

/**
 * An audit as one page of HTML that needs no network: the sentence, attacks against defences, originals beside what was found, what a
 * defence costs against what it hides, the assumptions, and how to do it again.
 *
 * @param pictures left out, the page shows numbers alone
 * @param known leaks that do not count, which are listed with their reasons
 * @throws DlgError `invalid-data`
 */
export function auditHtml(
  judgement: Judgement,
  about: RunAbout,
  pictures?: AuditPictures,
  known: readonly KnownLeak[] = [],
): string {
  requireWholeJudgement(judgement)
  requireAbout(about)
  requirePictures(pictures)
  requireKnown(known)
  const { verdict, summary } = judgement
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gradient leakage audit: ${text(WORDS[verdict])}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Gradient leakage audit</h1>
<p class="summary">${badge(verdict)} ${text(summary)}</p>
${pictures ? '<p class="notice">This page shows reconstructed data: treat it as you treat the data themselves.</p>' : ''}
${defencesSection(judgement)}
${knownSection(judgement, known)}
${matrixSection(judgement)}
${pictures ? picturesSection(judgement, pictures) : ''}
${chartSection(judgement)}
${convergenceSection(judgement)}
${trialsSection(judgement)}
${meaningsSection(judgement)}
${aboutSection(judgement, about)}
</main>
</body>
</html>
`
}

function requirePictures(pictures: AuditPictures | undefined): void {
  if (pictures === undefined) return
  const right = '{originals, found}, two maps'
  requireObject('pictures', pictures, right)
  if (!(pictures.originals instanceof Map && pictures.found instanceof Map))
    throw new DlgError('invalid-data', `pictures has no maps; it must be ${right}`)
}

function defencesSection(judgement: Judgement): string {
  const rows = judgement.defences.map(({ description, verdict, clients, utility }) => {
    const hit = clients.filter((client) => client.verdict === verdict)
    const worst = [...hit].sort((a, b) => psnrOf(b) - psnrOf(a))[0]
    const samples = closestUnder(judgement, description)
    return `<tr><th scope="row">${text(description)}</th><td>${badge(verdict)}</td><td>${hit.length} of ${clients.length}</td><td>${text(attackOf(worst.by))}</td><td>${text(worst.by.shown.join('; '))}</td><td class="number">${samples ? spreadWords(samples) : closest(worst.by)}</td><td class="number">${utility ? cosineWords(utility.cosine) : ''}</td></tr>`
  })
  return `<section><h2>What each defence hides</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Defences"><table>
<thead><tr><th scope="col">Defence</th><th scope="col">Verdict</th><th scope="col">Clients</th><th scope="col">Worst attack</th><th scope="col">Shown</th><th scope="col"><abbr title="the closest that any attack came to a sample: the median over the samples, and the range">Closest</abbr></th><th scope="col"><abbr title="cosine of what is shared with the raw gradient: the mean over the clients">Utility</abbr></th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div></section>`
}

function knownSection(judgement: Judgement, known: readonly KnownLeak[]): string {
  if (known.length === 0) return ''
  const lines = knownLines(judgement, known).map((line) => `<li>${text(line)}</li>`)
  return `<section><h2>Leaks that are known, and do not count</h2><ul>${lines.join('\n')}</ul></section>`
}

/** Attacks against defences; of two attackers, the one who found more. */
function matrixSection({ rows, control }: Judgement): string {
  const all = [...control, ...rows]
  const defences = [...new Set(all.map(({ description }) => description))]
  const names = [...new Set(all.map(({ attack }) => attack))].filter((attack) =>
    all.some((row) => row.attack === attack && row.verdict !== 'not-applicable'),
  )
  const cell = (attack: string, description: string): string => {
    const [worst] = all
      .filter((row) => row.attack === attack && row.description === description)
      .sort((a, b) => VERDICTS.indexOf(a.verdict) - VERDICTS.indexOf(b.verdict))
    return worst ? badge(worst.verdict) : ''
  }
  const head = defences.map((description) => `<th scope="col">${text(description)}</th>`).join('')
  const body = names.map(
    (attack) =>
      `<tr><th scope="row">${text(attack)}</th>${defences.map((description) => `<td>${cell(attack, description)}</td>`).join('')}</tr>`,
  )
  const absent = [...new Set(all.map(({ attack }) => attack))].filter((attack) => !names.includes(attack))
  const note = absent.length > 0 ? `<p>Not applicable anywhere: ${text(absent.join(', '))}.</p>` : ''
  return `<section><h2>Attacks against defences</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Attacks against defences"><table><thead><tr><th scope="col">Attack</th>${head}</tr></thead><tbody>${body.join('\n')}</tbody></table></div>${note}</section>`
}

const psnrOf = ({ by }: JudgedClient): number => Math.max(0, ...(by.measured ?? []).map(({ psnr }) => psnr))

/** The closest that any attack came to each client under a defence. */
function picturesSection({ defences, rows }: Judgement, { originals, found }: AuditPictures): string {
  const trials = rows.flatMap((row) => row.trials).filter(({ key }) => found.has(key))
  const best = ({ measured = [] }: JudgedTrial): number => Math.max(0, ...measured.map(({ psnr }) => psnr))
  const parts = defences.map(({ description, clients }) => {
    const cells = clients.flatMap(({ client }) => {
      const own = trials.filter((trial) => trial.description === description && trial.client === client)
      const [trial] = own.sort((a, b) => best(b) - best(a))
      return (trial?.measured ?? []).flatMap(({ sample, slot, psnr }) => {
        const [original, reconstruction] = [originals.get(sample), found.get(trial.key)?.[slot]]
        if (!original || !reconstruction) return []
        const words = `${psnr.toFixed(1)} dB`
        return [
          `<figure>${picture(original, `original of ${sample}`)}${picture(reconstruction, `what ${trial.attack} found of ${sample}, ${words}`)}<figcaption>${text(sample)}<br>${words}</figcaption></figure>`,
        ]
      })
    })
    if (cells.length === 0) return ''
    const more = cells.length > MOST_PICTURES ? `<p>${cells.length - MOST_PICTURES} more are in the run.</p>` : ''
    return `<h3>${text(description)}</h3><div class="pictures">${cells.slice(0, MOST_PICTURES).join('\n')}</div>${more}`
  })
  const shown = parts.filter((part) => part !== '')
  return shown.length === 0
    ? ''
    : `<section><h2>Originals, and what was found of them</h2>${shown.join('\n')}</section>`
}

function picture(image: Image, words: string): string {
  const png = encodePng(image)
  let bytes = ''
  for (const byte of png) bytes += String.fromCharCode(byte)
  return `<img src="data:image/png;base64,${btoa(bytes)}" width="96" height="${Math.round((96 * image.height) / image.width)}" alt="${text(words)}">`
}

function chartSection(judgement: Judgement): string {
  const points = judgement.defences.flatMap(({ description, verdict, utility, defence }) => {
    const closest = closestUnder(judgement, description)
    const cosine = defence === 'none' ? 1 : (utility?.cosine ?? 1)
    return closest ? [{ name: description, verdict, cosine, closest }] : []
  })
  if (points.length < 2) return ''
  return `<section><h2>What a defence costs, and what it hides</h2>
<p>Points are the median over the samples of the closest that any attack came; bars go from the sample that is hidden best to the one that is hidden worst.</p>
${tradeOff(points)}</section>`
}

function trialsSection({ rows, control }: Judgement): string {
  const lines = [...rows, ...control].flatMap(({ description, trials }: JudgedRow) =>
    trials.map(
      (trial) =>
        `<tr><td>${text(trial.samples.join(', '))}</td><td>${text(description)}</td><td>${text(attackOf(trial))}</td><td>${text(assumptionWords(trial))}</td><td>${badge(trial.verdict)}</td><td class="number">${closest(trial)}</td><td class="number">${work(trial)}</td><td>${text([...trial.shown, trial.reason].join('; '))}</td></tr>`,
    ),
  )
  return `<section><h2>Every trial</h2><details><summary>${countOf(lines.length, 'trial')}</summary>
<div class="scroll" tabindex="0" role="region" aria-label="Every trial"><table><thead><tr><th scope="col">Client</th><th scope="col">Defence</th><th scope="col">Attack</th><th scope="col">Assumes</th><th scope="col">Verdict</th><th scope="col">Closest</th><th scope="col">Work</th><th scope="col">Reason</th></tr></thead><tbody>${lines.join('\n')}</tbody></table></div></details></section>`
}

function meaningsSection({ rows, control, defences }: Judgement): string {
  const shown = [
    ...[...rows, ...control].flatMap(({ trials }) => trials),
    ...defences.flatMap(({ clients }) => clients),
  ]
  const used = new Set(shown.map(({ verdict }) => verdict))
  const terms = VERDICTS.filter((verdict) => used.has(verdict)).map(
    (verdict) => `<dt>${badge(verdict)}</dt><dd>${text(MEANINGS[verdict])}</dd>`,
  )
  return `<section><h2>What the words mean</h2><dl>${terms.join('\n')}</dl></section>`
}

function aboutSection({ rows, control, thresholds }: Judgement, about: RunAbout): string {
  const names = [...new Set([...rows, ...control].map(({ attack }) => attack))]
  const lines = names.flatMap((name) => {
    const known = Object.hasOwn(attacks, name) ? attacks[name as AttackName] : undefined
    if (!known) return []
    const { sees, batch, model, labels, threatModel } = known.needs
    return [
      `<tr><th scope="row">${text(name)}</th><td>${threatModel ? threatModelWords(threatModel) : ''}</td><td>${text(sees)}</td><td>${text(batch)}</td><td>${text(model)}</td><td>${text(labels)}</td><td>${text(known.source)}</td></tr>`,
    ]
  })
  const versions = Object.entries(about.versions).map(([name, version]) => `${name} ${version}`)
  return `<section><h2>Assumptions</h2>
<p>Every attacker has the model and its weights at the time of the gradient, knows how the client trains and how many samples it averages, and sees what one
client shares. The adaptive attacker knows the defence and its parameters, and not its random numbers; the unaware one takes what is shared for a plain gradient.
${LETTERS} The table has that of an attack on a plain gradient; an update, and a defence whose parameters are known, are C at least.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Assumptions"><table><thead><tr><th scope="col">Attack</th><th scope="col">Threat model</th><th scope="col">Sees</th><th scope="col">Batch</th><th scope="col">Model</th><th scope="col">Labels</th><th scope="col">Source</th></tr></thead><tbody>${lines.join('\n')}</tbody></table></div></section>
<section><h2>How to do it again</h2>
<p>Seed ${about.seed}, at most ${countOf(about.evaluations, 'evaluation')} a trial, batches of ${about.batchSize}. ${recognisedWords([...rows, ...control], thresholds)} ${text(versions.join(', '))}.</p>
${about.command ? `<pre>${text(about.command)}</pre>` : ''}</section>`
}

const badge = (verdict: AuditVerdict): string => `<span class="verdict ${verdict}">${WORDS[verdict]}</span>`
