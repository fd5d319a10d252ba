/** A number and its noun: `1 client`, `8 clients`, `1 class has` and `2 classes have`. */
export const countOf = (count: number, noun: string, plural = `${noun}s`): string =>
  `${count} ${count === 1 ? noun : plural}`
