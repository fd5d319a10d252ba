/** Glyph size in pixels; a column and two rows of blank separate characters and lines. */
export const GLYPH_WIDTH = 5
export const GLYPH_HEIGHT = 7
export const ADVANCE = GLYPH_WIDTH + 1
export const LINE_HEIGHT = GLYPH_HEIGHT + 2

/** Five columns from left to right, two hexadecimal digits each; bit 0 is the top pixel. */
const GLYPHS: Readonly<Record<string, string>> = {
  ' ': '0000000000',
  '!': '00005f0000',
  '#': '147f147f14',
  '%': '2313086462',
  "'": '0000030000',
  '(': '001c224100',
  ')': '0041221c00',
  '*': '2a1c7f1c2a',
  '+': '08083e0808',
  ',': '0050300000',
  '-': '0808080808',
  '.': '0060600000',
  '/': '2010080402',
  '0': '3e5149453e',
  '1': '00427f4000',
  '2': '7249494946',
  '3': '2141494d33',
  '4': '1814127f10',
  '5': '2745454539',
  '6': '3c4a494931',
  '7': '4121110907',
  '8': '3649494936',
  '9': '464949291e',
  ':': '0036360000',
  '<': '0814224100',
  '=': '1414141414',
  '>': '0041221408',
  '?': '0201590906',
  A: '7c1211127c',
  B: '7f49494936',
  C: '3e41414122',
  D: '7f4141413e',
  E: '7f49494941',
  F: '7f09090901',
  G: '3e41415173',
  H: '7f0808087f',
  I: '00417f4100',
  J: '2040413f01',
  K: '7f08142241',
  L: '7f40404040',
  M: '7f021c027f',
  N: '7f0408107f',
  O: '3e4141413e',
  P: '7f09090906',
  Q: '3e4151215e',
  R: '7f09192946',
  S: '2649494932',
  T: '03017f0103',
  U: '3f4040403f',
  V: '1f2040201f',
  W: '3f4038403f',
  X: '6314081463',
  Y: '0304780403',
  Z: '6159494d43',
  _: '4040404040',
  '∞': '1c141c141c',
}

/** Whether the glyph of a character has ink at a column (0 to 4) and row (0 to 6); unknown characters show as `?`. */
export function hasInk(character: string, column: number, row: number): boolean {
  const glyph = GLYPHS[character.toUpperCase()] ?? GLYPHS['?']
  return ((Number.parseInt(glyph.slice(column * 2, column * 2 + 2), 16) >> row) & 1) === 1
}
