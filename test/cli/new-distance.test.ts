import { expect, it, vi } from 'vitest'
import { commands } from '../../src/cli/commands'
import { dlg, QUICK, readJson, scratch, writePhoto } from './terminal'

// what somebody would do who adds a distance: one more name in one file
vi.mock('../../src/attacks/matching/objective/distance', async (original) => {
  const module = await original<typeof import('../../src/attacks/matching/objective/distance')>()
  const doubled = () => ({ ...module.l2(), name: 'doubled' })
  return { ...module, DISTANCES: { ...module.DISTANCES, doubled } }
})

const folder = scratch()

it('a distance that is added by name is in every help, and is taken', async () => {
  const searching = commands.filter(({ options }) => options.distance)
  expect(searching.map(({ name }) => name)).toEqual(['image', 'cifar', 'batch', 'text', 'attack'])
  for (const { name } of searching) {
    expect((await dlg([name, '--help'])).stdout.replace(/\s+/g, ' ')).toMatch(/between gradients: [a-z0-9, ]*doubled/)
    const files = name === 'attack' ? ['--model', 'none.json', '--gradients', 'none.npz'] : []
    expect((await dlg([name, ...files, '--distance', 'l1'])).stderr).toMatch(
      /it must be l2 or cosine or balanced or whitened or doubled/,
    )
  }
  const argv = ['image', writePhoto(folder.at('photo.png')), ...QUICK, '--iterations', '2', '--restarts', '1']
  const { code } = await dlg([...argv, '--distance', 'doubled', '--out', folder.at('doubled')])
  await dlg([...argv, '--out', folder.at('l2')])
  expect(code).toBe(1)
  const [doubled, l2] = ['doubled', 'l2'].map((out) => readJson(folder.at(`${out}/result.json`)))
  expect(doubled.options.distance).toBe('doubled')
  expect([doubled.relativeLoss, doubled.psnr]).toEqual([l2.relativeLoss, l2.psnr])
})
