/** A number in words of this many digits, never above it: what is said of a lower bound holds. */
export const roundedDown = (value: number, digits: number): string => towards(value, digits, -1)

/** A number in words of this many digits, never below it: what is said of an upper bound holds. */
export const roundedUp = (value: number, digits: number): string => towards(value, digits, 1)

function towards(value: number, digits: number, side: 1 | -1): string {
  const nearest = value.toPrecision(digits)
  if (!Number.isFinite(value) || side * (Number(nearest) - value) >= 0) return nearest
  const [, exponent] = value.toExponential().split('e')
  return (Number(nearest) + side * 10 ** (Number(exponent) - digits + 1)).toPrecision(digits)
}
