import { gzipSync } from 'node:zlib'

/** A ustar archive of these files. */
export function tar(files: Readonly<Record<string, Uint8Array | string>>): Buffer {
  const blocks = Object.entries(files).flatMap(([name, content]) => {
    const data = Buffer.from(content as Uint8Array)
    return [header(name, data.length, '0'), data, Buffer.alloc((512 - (data.length % 512)) % 512)]
  })
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

export function header(name: string, size: number, type: string, prefix = ''): Buffer {
  const block = Buffer.alloc(512)
  block.write(name, 0, 100)
  block.write('0000644\0', 100)
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124)
  block.write('        ', 148)
  block.write(type, 156)
  block.write('ustar\x0000', 257)
  block.write(prefix, 345, 155)
  const sum = block.reduce((a, b) => a + b, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

/** The byte of a pixel in these tests' pictures; distinct for neighbours, channels and images. */
export const pixel = (image: number, channel: number, at: number): number =>
  Math.round(127 + 100 * Math.sin(image + channel + at / 37) * Math.cos(at % 32))

function records(count: number, first: number, labelsOf: (image: number) => number[]): Buffer {
  return Buffer.concat(
    Array.from({ length: count }, (_, i) => {
      const image = first + i
      const planes = [0, 1, 2].flatMap((c) => Array.from({ length: 1024 }, (_, at) => pixel(image, c, at)))
      return Buffer.from([...labelsOf(image), ...planes])
    }),
  )
}

const names = (count: number): string => Array.from({ length: count }, (_, i) => `class${i}\n`).join('')

/** As cifar-100-binary.tar.gz: image i has coarse class i mod 20 and fine class 10 i mod 100. */
export const cifar100Files = () => {
  const labels = (i: number) => [i % 20, (10 * i) % 100]
  return {
    'cifar-100-binary/fine_label_names.txt': names(100),
    'cifar-100-binary/test.bin': records(3, 100, labels),
    'cifar-100-binary/train.bin': records(4, 0, labels),
  }
}

/** As cifar-10-binary.tar.gz: five batches of two images; image i has class i mod 10. */
export const cifar10Files = () => ({
  ...Object.fromEntries(
    [0, 1, 2, 3, 4].map((b) => [`cifar-10-batches-bin/data_batch_${b + 1}.bin`, records(2, 2 * b, (i) => [i % 10])]),
  ),
  'cifar-10-batches-bin/test_batch.bin': records(2, 100, (i) => [i % 10]),
  'cifar-10-batches-bin/batches.meta.txt': `${names(10)}\n`,
})

export const cifar100Archive = (): Buffer => gzipSync(tar(cifar100Files()))
export const cifar10Archive = (): Buffer => gzipSync(tar(cifar10Files()))
