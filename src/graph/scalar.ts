import type { BinaryOp, UnaryOp } from './node'

/** The number functions behind the elementwise primitives, in float64: what constant folding and the oracle run. */
export const unary: Record<UnaryOp, (x: number) => number> = {
  neg: (x) => -x,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  sigmoid: (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))),
  tanh: Math.tanh,
  relu: (x) => (x > 0 ? x : x <= 0 ? 0 : Number.NaN),
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  abs: Math.abs,
  sign: Math.sign,
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundHalfEven,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  erf,
  expm1: Math.expm1,
  log1p: Math.log1p,
  // with the density φ of the normal distribution and its integral Φ: x Φ, Φ + x φ, (2 − x²) φ
  gelu: (x) => x * normal(x),
  geluDerivative: (x) => normal(x) + x * density(x),
  geluSecondDerivative: (x) => (2 - x * x) * density(x),
}

/** The number functions behind the elementwise primitives with two inputs, in float64. `less` and `equal` give 0 or 1. */
export const binary: Record<BinaryOp, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  pow: (a, b) => a ** b,
  maximum: Math.max,
  minimum: Math.min,
  less: (a, b) => (a < b ? 1 : 0),
  equal: (a, b) => (a === b ? 1 : 0),
  // with u = βx, s = σ(u) and σ′ = s (1 − s): x s, s + u σ′, β σ′ (2 + u (1 − 2s))
  swish: (x, beta) => x * unary.sigmoid(beta * x),
  swishDerivative: (x, beta) => {
    const u = beta * x
    const s = unary.sigmoid(u)
    return s + u * s * unary.sigmoid(-u)
  },
  swishSecondDerivative: (x, beta) => {
    const u = beta * x
    const [s, rest] = [unary.sigmoid(u), unary.sigmoid(-u)]
    return beta * s * rest * (2 + u * (rest - s))
  },
}

/**
 * The mixture of two numbers that tends to the larger as β grows, and to the smaller below 0: s b + (1 − s) a with s = σ(β (b − a)). A number far away
 * leaves nothing of itself, where it would swallow the other in a + swish(b − a, β).
 */
export function smoothMaximum(a: number, b: number, beta: number): number {
  const u = beta * (b - a)
  return unary.sigmoid(u) * b + unary.sigmoid(-u) * a
}

function roundHalfEven(x: number): number {
  const floor = Math.floor(x)
  const rest = x - floor
  if (rest < 0.5) return floor
  if (rest > 0.5) return floor + 1
  return floor % 2 === 0 ? floor : floor + 1
}

/** φ */
const density = (x: number): number => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI)

/** Φ */
const normal = (x: number): number => 0.5 * (1 + erf(x * Math.SQRT1_2))

/** Error function to double precision: Taylor series near 0, continued fraction of erfc (Lentz) further out. */
function erf(x: number): number {
  const a = Math.abs(x)
  if (Number.isNaN(x)) return x
  if (a > 6) return Math.sign(x)
  if (a < 2.5) {
    // erf x = 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (2n+1)!!
    let term = x
    let total = x
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(total); n++) {
      term *= (2 * x * x) / (2 * n + 1)
      total += term
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total
  }
  // erfc x = e^(−x²)/√π · 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + …))))
  let fraction = a
  for (let n = 60; n >= 1; n--) fraction = a + n / 2 / fraction
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * fraction))
}
