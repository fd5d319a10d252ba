/** A part of 1 with so many decimals; only 1 itself is 1, and only 0 is 0. */
export function roundedPart(part: number, decimals: number): number {
  if (part === 0 || part === 1) return part
  const least = 10 ** -decimals
  return Number(Math.min(1 - least, Math.max(least, part)).toFixed(decimals))
}
