import { mkdirSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { cifar100 } from '../../src/cli/data'
import { encodePng } from '../../src/io'
import { cifar100Archive } from './data/archive-files'
import { dlg, scratch, spawnDlg, writePhoto } from './terminal'

const folder = scratch()

/** What the cases name: files in the test's folder. */
function prepare(): void {
  writePhoto(folder.at('photo.png'), 0, 40)
  writePhoto(folder.at('dot.png'), 0, 1)
  writePhoto(folder.at('wide.png'), 0, 100, 20)
  writeFileSync(folder.at('notes.txt'), 'not an image')
  writeFileSync(folder.at('empty.jpg'), '')
  const png = encodePng({ width: 40, height: 40, data: new Float32Array(4800) })
  writeFileSync(folder.at('cut.png'), png.subarray(0, png.length - 20))
  writeFileSync(folder.at('cut.jpg'), Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16, 74]))
  writeFileSync(folder.at('cut.tar.gz'), cifar100Archive().subarray(0, 3000))
  writeFileSync(folder.at('whole.tar.gz'), cifar100Archive())
  mkdirSync(folder.at('cache/dlg-ts'), { recursive: true })
  writeFileSync(folder.at('cache/dlg-ts/cifar-10-binary.tar.gz'), 'damaged')
}

const offline = (): Record<string, string> => ({
  XDG_CACHE_HOME: folder.at('cache'),
  DLG_DATA_URL: 'http://127.0.0.1:1/none',
})

describe('wrong input is one line and exit code 2, and leaves nothing', () => {
  it.each<[string, string]>([
    ['', 'no command given; the commands are image, cifar, batch'],
    ['imgae @photo.png', "there is no command 'imgae'; did you mean image?"],
    ['help me', "there is no command 'me'; the commands are"],
    ['image', '0 images given; dlg image takes one'],
    ['image @photo.png @photo.png', '2 images given; dlg image takes one, dlg batch takes several'],
    ['image @none.png', 'none.png: no such file'],
    ['image @notes.txt', 'notes.txt: neither PNG nor JPEG by its first bytes'],
    ['image @empty.jpg', 'empty.jpg: neither PNG nor JPEG by its first bytes'],
    ['image @cut.png', 'cut.png: '],
    ['image @cut.jpg', 'cut.jpg: truncated JPEG'],
    ['image @cache', 'cache: is a directory'],
    ['image @dot.png', 'dot.png: the image is 1x1; it must be at least 32x32 for --size 32'],
    ['image @wide.png', 'wide.png: the image is 100x20; it must be at least 32x32'],
    ['image @photo.png --size 64', 'the image is 40x40; it must be at least 64x64 for --size 64'],
    ['image @photo.png --size 11', "--size is '11'; it must be a whole number from 12 to 256"],
    ['image @photo.png --size 1e9', "--size is '1e9'; it must be a whole number from 12 to 256"],
    ['image @photo.png --seed=', "--seed is ''; it must be a whole number"],
    ['image @photo.png --seed --json', 'option '],
    ['image @photo.png --seed -x', 'option '],
    ['image @photo.png --seed -1.5', "--seed is '-1.5'; it must be a whole number"],
    ['image @photo.png --seed 1.5', "--seed is '1.5'"],
    ['image @photo.png --seed 99999999999999999999', "--seed is '99999999999999999999'"],
    ['image @photo.png --seed', 'option '],
    ['image @photo.png --sead 1', "unknown option '--sead'; did you mean --seed?"],
    ['image @photo.png --json=yes', 'option '],
    ['image @photo.png --iterations 0', "--iterations is '0'; it must be a whole number of at least 1"],
    ['image @photo.png --restarts none', "--restarts is 'none'"],
    ['image @photo.png --concurrency 0', "--concurrency is '0'; it must be a whole number from 1 to 64"],
    ['batch @photo.png --batch-update each', "--batch-update is 'each'; it must be together or one-by-one"],
    ['image @photo.png --classes 1', "--classes is '1'; it must be a whole number from 2 to 100000"],
    ['image @photo.png --classes 10 --class 10', "--class is '10'; it must be a whole number from 0 to 9"],
    [
      'image @photo.png --labels guess',
      "--labels is 'guess'; it must be known or joint or infer or classes such as 3,1",
    ],
    ['image @photo.png --labels 1,2', '2 labels for a batch of 1; give one for each sample'],
    ['image @photo.png --labels 100', 'label 100 is not a class index in [0, 100)'],
    ['image @photo.png --scale 0', "--scale is '0'; it must be auto or a number other than 0"],
    ['image @photo.png --scale=', "--scale is ''; it must be auto or a number other than 0"],
    ['image @photo.png --priors smooth=1', "--priors is 'smooth=1'; it must be names and weights such as "],
    ['image @photo.png --priors box=1,box=', "--priors is 'box=1,box='; it must be names and weights such as "],
    ['image @photo.png --priors box=1 --tv 1', '--tv and --priors are both given; give one'],
    ['image @photo.png --tv -1', "--tv is '-1'; it must be a number of at least 0"],
    ['image @photo.png --prior-easing 0', "--prior-easing is '0'; it must be a number above 0 and at most 1"],
    ['image @photo.png --patience 0', "--patience is '0'; it must be a whole number of at least 1 or Infinity"],
    ['image @photo.png --tolerance 1', "--tolerance is '1'; it must be a number in [0, 1)"],
    ['image @photo.png --budget 0', "--budget is '0'; it must be a number of evaluations such as 5000, or a time"],
    ['image @photo.png --budget 30d', "--budget is '30d'; it must be a number of evaluations such as 5000, or a time"],
    ['image @photo.png --time-limit 30', "--time-limit is '30'; it must be a time such as 30s or 5m"],
    ['image @photo.png --time-limit 0s', "--time-limit is '0s'; it must be a time such as 30s or 5m"],
    ['image @photo.png --time-limit 1s --budget 2s', '--budget and --time-limit both give a time; give one'],
    ['image @photo.png --init zeros', "--init is 'zeros'; it must be gray or normal or uniform"],
    ['image @photo.png --batch-size 2', "unknown option '--batch-size'"],
    ['image @photo.png --iterations 99999999999999999999', "--iterations is '99999999999999999999'"],
    ['image @photo.png --optimizer sgd', "--optimizer is 'sgd'; it must be lbfgs or adam"],
    ['image @photo.png --distance l1', "--distance is 'l1'; it must be l2 or cosine"],
    ['image @photo.png --preset fast', "--preset is 'fast'"],
    ['image @photo.png --runtime gpu', "--runtime is 'gpu'; it must be auto or onnx or tfjs or reference"],
    ['image @photo.png --backend webgl', "--backend is 'webgl'; it must be cpu or wasm"],
    ['image @photo.png --weights-init zeros', "--weights-init is 'zeros'; it must be uniform or default"],
    ['image @photo.png --out @notes.txt', 'is a file; give a folder'],
    ['image @photo.png --out @notes.txt/out', 'notes.txt is a file; give a folder'],
    ['batch', 'no images given; dlg batch takes one or more'],
    ['batch @photo.png @none.png', 'none.png: no such file'],
    ['batch @photo.png @dot.png', 'dot.png: the image is 1x1'],
    ['batch @photo.png @photo.png --class 1', '--class has 1 class for 2 images'],
    ['batch @photo.png --class 1,two', "--class is 'two'"],
    [
      'batch @photo.png @photo.png @photo.png --classes 2 --labels infer',
      '--labels infer needs at least as many classes as samples; a batch of 3 has more than the 2 classes',
    ],
    [`batch ${'@photo.png '.repeat(129).trim()}`, '129 images given; dlg batch takes at most 128'],
    ['cifar 25', "'25' is not an option; the image is chosen with --index"],
    ['cifar --index -3', "--index is '-3'; it must be a whole number of at least 0"],
    ['cifar --index x', "--index is 'x'; it must be a whole number of at least 0"],
    ['cifar --dataset mnist', "--dataset is 'mnist'; it must be cifar100 or cifar10"],
    ['cifar --split all', "--split is 'all'"],
    ['cifar --archive @none.tar.gz', 'none.tar.gz: no such file'],
    ['cifar --archive @cache', 'cache: cannot be read'],
    ['cifar --archive @notes.txt', 'notes.txt: truncated, corrupt or not gzip'],
    ['cifar --archive @cut.tar.gz', 'cut.tar.gz: truncated, corrupt or not gzip'],
    ['cifar --archive @whole.tar.gz', '--index is 25; the train split of CIFAR-100 in '],
    ['cifar --archive @whole.tar.gz --dataset cifar10', "has no 'cifar-10-batches-bin/data_batch_1.bin'"],
    ['cifar --dataset cifar10', 'cifar-10-binary.tar.gz: truncated or corrupt, its MD5 is'],
    ['cifar', 'cifar-100-binary.tar.gz cannot be downloaded ('],
    // before anything is downloaded
    ['cifar --out @notes.txt', 'is a file; give a folder'],
    ['cifar --out /proc/none/out', '--out /proc/none/out: cannot be written: '],
  ])('dlg %s', async (line, message) => {
    prepare()
    const before = folder.names()
    const argv = line.split(' ').filter(Boolean)
    const words = argv.map((word) => word.replace(/^@(.*)/, (_, name) => folder.at(name)))
    const out = argv.includes('--out') || argv.length < 2 ? [] : ['--out', folder.at('out')]
    const { code, stdout, stderr } = await dlg([...words, ...out], { env: offline() })
    expect(stderr).toMatch(/^dlg: [^\n]+\n$/)
    expect(stderr).toContain(message)
    expect([code, stdout]).toEqual([2, ''])
    expect(folder.names()).toEqual(before)
  })

  it('a 20-megapixel image', async () => {
    const [width, height] = [5000, 4000]
    writeFileSync(folder.at('huge.png'), encodePng({ width, height, data: new Float32Array(3 * width * height) }))
    const { code, stderr } = await dlg(['image', folder.at('huge.png'), '--out', folder.at('out')])
    expect(stderr).toMatch(
      /^dlg: .*huge\.png: the image is 5000x4000; it must be at most 16 megapixels; shrink it first\n$/,
    )
    expect(code).toBe(2)
    expect(folder.names()).toEqual(['huge.png'])
  })

  it('offline, it says what to download and where to put it', async () => {
    const { stderr } = await dlg(['cifar'], {
      env: { XDG_CACHE_HOME: folder.at('cache'), DLG_DATA_URL: 'http://127.0.0.1:1' },
    })
    expect(stderr).toContain('http://127.0.0.1:1/cifar-100-binary.tar.gz cannot be downloaded')
    expect(stderr).toContain(`put it at ${folder.at('cache/dlg-ts/cifar-100-binary.tar.gz')}`)
    expect((await dlg(['cifar', '--help'])).stdout).toContain(cifar100.url)
  })

  it('as a process', async () => {
    const { code, stdout, stderr } = await spawnDlg(['image', folder.at('none.png'), '--out', folder.at('out')])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toBe(`dlg: ${folder.at('none.png')}: no such file\n`)
    expect(folder.names()).toEqual([])
  })
})
