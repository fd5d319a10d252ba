import * as tf from '@tensorflow/tfjs-core'
import type * as tfjsLayers from '@tensorflow/tfjs-layers'
import { requireObject } from '../errors/checks'
import { DlgError } from '../errors/dlg-error'

/** The part of tfjs that makes layers: `@tensorflow/tfjs-layers`, or `@tensorflow/tfjs`. */
export interface TfjsLayers {
  readonly layers: Pick<typeof tfjsLayers.layers, 'gru' | 'gruCell'>
}

type Weight = { read(): tf.Tensor2D }
type Activation = { apply(x: tf.Tensor): tf.Tensor2D }

/** What the cell below uses of tfjs's own cell, whose fields tfjs does not declare. */
interface GruCell {
  readonly units: number
  readonly dropout: number
  readonly recurrentDropout: number
  useBias: boolean
  readonly activation: Activation
  readonly recurrentActivation: Activation
  readonly biasInitializer: unknown
  readonly biasRegularizer: unknown
  readonly biasConstraint: unknown
  kernel: Weight
  recurrentKernel: Weight
  bias: Weight | null
  addWeight(...weight: unknown[]): Weight
  build(inputShape: unknown): void
  getConfig(): Record<string, unknown>
}

/** tfjs's own GRU, with the cell that it was made with. */
interface Gru {
  cell: object
  getConfig(): Record<string, unknown>
}

/**
 * Registers what models of Keras 3 need and tfjs lacks: a GRU with `reset_after`, which is Keras's default, and its cell. `modelFromFile`
 * calls them `ResetAfterGRU` and `ResetAfterGRUCell`.
 *
 * Call it once, before `tf.loadLayersModel(modelFromFile('net.keras'))`. Source: Cho et al., https://arxiv.org/abs/1406.1078v1, where the
 * reset gate is applied after the product: h̃ = tanh(W x + b + r ⊙ (U h + b′)).
 *
 * @param tfjs the tfjs that builds the model: `@tensorflow/tfjs-layers` as a module, or `@tensorflow/tfjs`
 * @throws DlgError `invalid-option` for what makes no layers
 */
export function registerKerasLayers(tfjs: TfjsLayers): void {
  requireObject('tfjs', tfjs, 'the module @tensorflow/tfjs-layers')
  if (typeof tfjs.layers?.gruCell !== 'function')
    throw new DlgError('invalid-option', 'tfjs makes no layers; it must be the module @tensorflow/tfjs-layers')
  const Cell = tfjs.layers.gruCell({ units: 1 }).constructor as unknown as new (args: object) => GruCell
  class ResetAfterGRUCell extends Cell {
    static className = 'ResetAfterGRUCell'

    constructor(args: object) {
      super({ ...args, resetAfter: false })
    }

    override build(inputShape: unknown): void {
      // tfjs would add a bias for the inputs alone
      const { useBias } = this
      this.useBias = false
      super.build(inputShape)
      this.useBias = useBias
      if (!useBias) return
      const { biasInitializer, biasRegularizer, biasConstraint } = this
      this.bias = this.addWeight(
        'bias',
        [2, 3 * this.units],
        null,
        biasInitializer,
        biasRegularizer,
        true,
        biasConstraint,
      )
    }

    call([x, h]: tf.Tensor2D[], { training = false }: { training?: boolean }): tf.Tensor[] {
      if (training && (this.dropout > 0 || this.recurrentDropout > 0))
        throw new DlgError(
          'untraceable',
          'a GRU with reset_after has dropout inside, which is not supported in training',
        )
      return tf.tidy(() => {
        const [inputBias, stateBias] = this.bias ? (tf.unstack(this.bias.read()) as tf.Tensor1D[]) : []
        const product = (a: tf.Tensor2D, b: Weight, bias?: tf.Tensor1D) => {
          const sum = tf.matMul(a, b.read())
          return tf.split(bias ? tf.add<tf.Tensor2D>(sum, bias) : sum, 3, 1)
        }
        const [xz, xr, xh] = product(x, this.kernel, inputBias)
        const [hz, hr, hh] = product(h, this.recurrentKernel, stateBias)
        const z = this.recurrentActivation.apply(tf.add(xz, hz))
        const r = this.recurrentActivation.apply(tf.add(xr, hr))
        const candidate = this.activation.apply(tf.add(xh, tf.mul(r, hh)))
        const next = tf.add(tf.mul(z, h), tf.mul(tf.sub(1, z), candidate))
        return [next, next]
      })
    }

    override getConfig(): Record<string, unknown> {
      return { ...super.getConfig(), resetAfter: true }
    }
  }
  const Layer = tfjs.layers.gru({ units: 1 }).constructor as unknown as new (args: object) => Gru
  class ResetAfterGRU extends Layer {
    static className = 'ResetAfterGRU'

    constructor(args: object) {
      super({ ...args, resetAfter: false })
      this.cell = new ResetAfterGRUCell(args)
    }

    override getConfig(): Record<string, unknown> {
      return { ...super.getConfig(), resetAfter: true }
    }
  }
  for (const made of [ResetAfterGRUCell, ResetAfterGRU])
    tf.serialization.registerClass(
      made as unknown as tf.serialization.SerializableConstructor<tf.serialization.Serializable>,
    )
}
