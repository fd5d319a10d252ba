export { infer } from './infer'
export {
  joint,
  known,
  type LabelContext,
  type LabelDecision,
  type LabelInference,
  type LabelStrategy,
} from './strategy'
