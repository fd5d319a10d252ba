import { Tensor } from '@tensorflow/tfjs-core'

/** A text that is the same for equal values, whatever the order of an object's fields. Functions stand for themselves by their source. */
export function canonical(value: unknown): string {
  if (typeof value === 'function') return `function ${value}`
  // JSON has one word for NaN and both infinities
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'symbol' || value === undefined)
    return String(value)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? String(value)
  if (value instanceof Tensor) return `tensor ${value.shape} ${canonical(value.dataSync())}`
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${Array.from(value as Float32Array).join()})`
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (value instanceof Map) return `Map${canonical([...value])}`
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  return `{${fields
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`)
    .join()}}`
}

/** SHA-256 of a text, the first 128 bits in hexadecimal. */
export async function digest(text: string): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return Array.from(new Uint8Array(hash, 0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
