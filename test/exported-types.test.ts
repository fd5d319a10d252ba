import { expect, it } from 'vitest'
import { unexportedTypes } from './exported-types'

it('every type that an export mentions can be imported', () => {
  expect([...new Set(unexportedTypes())]).toEqual([])
})
