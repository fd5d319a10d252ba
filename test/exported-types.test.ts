import { expect, it } from 'vitest'
import { unexportedTypes } from './exported-types'

it('every type that an export mentions can be imported, from its own entry or from dlg-ts', () => {
  expect([...new Set(unexportedTypes())]).toEqual([])
})
