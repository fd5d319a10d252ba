/** Names of tfjs's ModelArtifacts, one of which is the first in a saved model. */
const ARTIFACTS = [
  'modelTopology',
  'format',
  'generatedBy',
  'convertedBy',
  'weightSpecs',
  'weightData',
  'trainingConfig',
]

/** What such a file is, and the way to what is read here. */
export const DISCO_MODEL = {
  is: 'a model as DISCO saves it, [kind, ModelArtifacts] in msgpack',
  way: 'in a program of DISCO, decode it, write its weights with serialization.weights.encode(model.weights), and its model.json with model.save of tfjs',
} as const

/** Whether these bytes are msgpack `[kind, ModelArtifacts]`, by their first bytes: a list of two, a small number, a map. */
export function isDiscoModel(bytes: Uint8Array): boolean {
  if (bytes.length < 16 || bytes[0] !== 0x92 || bytes[1] > 0x7f) return false
  const key = { 222: 5, 223: 7 }[bytes[2]] ?? ((bytes[2] & 0xf0) === 0x80 ? 3 : undefined)
  if (key === undefined) return false
  // The name behind the map's head: a string of up to 31 bytes.
  const text = new TextDecoder().decode(bytes.subarray(key + 1, key + 1 + (bytes[key] & 0x1f)))
  return (bytes[key] & 0xe0) === 0xa0 && ARTIFACTS.includes(text)
}
