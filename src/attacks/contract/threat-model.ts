/**
 * The threat models of Carletti, Foggia, Mazzocca, Parrella, Vento 2025 (_SoK: Gradient Inversion Attacks in Federated Learning_, USENIX
 * Security): their names, and what each gives an attacker, in the words of their table. No attack of this package needs more than C.
 */
export const THREAT_MODELS = {
  A: { name: 'eavesdropper', has: 'model updates' },
  B: { name: 'informed eavesdropper', has: 'model updates, basic knowledge' },
  C: { name: 'parameter-aware eavesdropper', has: 'model updates, basic knowledge, training details' },
  D: { name: 'data-enhanced eavesdropper', has: 'what C has, surrogate data' },
  E: { name: 'statistical-informed eavesdropper', has: 'what D has, client data distribution' },
  F: { name: 'active manipulator', has: 'what C has, active manipulation' },
  G: { name: 'data-enhanced manipulator', has: 'what D has, active manipulation' },
  H: { name: 'active client manipulator', has: 'what G has, client selection' },
} as const satisfies Readonly<Record<string, { readonly name: string; readonly has: string }>>

/** The letter of a threat model, from A, who sees updates alone, to H, who also changes models and chooses clients. */
export type ThreatModel = keyof typeof THREAT_MODELS
