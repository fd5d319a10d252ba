/** A number and its noun: `1 client`, `8 clients`. */
export const countOf = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`
