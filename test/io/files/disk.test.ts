import { describe, expect, it } from 'vitest'
import * as browser from '../../../src/io/files/disk.browser'
import { thrown } from '../thrown'

describe('files in a browser', () => {
  it.each(Object.entries(browser))('%s is refused, and the way out is named', (_, call) => {
    const error = thrown(() => (call as (path: string, more: string) => unknown)('some/picture.png', ''))
    expect(error.code).toBe('invalid-file')
    expect(error.message).toMatch(
      /^some\/picture\.png: .*(give the bytes to a Blob|new Uint8Array\(await file\.arrayBuffer\(\)\))/,
    )
  })
})
