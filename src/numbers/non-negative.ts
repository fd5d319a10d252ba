/** c ≥ 0 with the least cᵀ G c − 2 bᵀ c, one coordinate after the other. */
export function nonNegative(gram: readonly (readonly number[])[], b: readonly number[]): number[] {
  const c = b.map(() => 0)
  for (let round = 0; round < 2000; round++) {
    let moved = 0
    for (const i of c.keys()) {
      if (gram[i][i] === 0) continue
      const slope = b[i] - gram[i].reduce((sum, v, j) => sum + v * c[j], 0)
      const next = Math.max(0, c[i] + slope / gram[i][i])
      moved = Math.max(moved, Math.abs(next - c[i]))
      c[i] = next
    }
    if (moved <= 1e-9 * Math.max(...c)) break
  }
  return c
}
