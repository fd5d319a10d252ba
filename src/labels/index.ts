export { infer } from './infer'
export {
  joint,
  known,
  type LabelContext,
  type LabelDecision,
  type LabelStrategy,
} from './strategy'
