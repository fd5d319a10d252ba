/** What RoBERTa and DistilBERT call the weights of BERT, as patterns in the order of their use. */
const NAMES: readonly (readonly [theirs: RegExp, ours: string])[] = [
  // models with a head call the encoder by its family
  [/^(bert|roberta|distilbert)\./, ''],
  // older files
  [/LayerNorm\.gamma$/, 'LayerNorm.weight'],
  [/LayerNorm\.beta$/, 'LayerNorm.bias'],
  // RoBERTa's heads
  [/^classifier\.dense\./, 'pooler.dense.'],
  [/^classifier\.out_proj\./, 'classifier.'],
  [/^lm_head\.dense\./, 'cls.predictions.transform.dense.'],
  [/^lm_head\.layer_norm\./, 'cls.predictions.transform.LayerNorm.'],
  [/^lm_head\.bias$/, 'cls.predictions.bias'],
  // DistilBERT
  [/^transformer\.layer\./, 'encoder.layer.'],
  [/\.attention\.q_lin\./, '.attention.self.query.'],
  [/\.attention\.k_lin\./, '.attention.self.key.'],
  [/\.attention\.v_lin\./, '.attention.self.value.'],
  [/\.attention\.out_lin\./, '.attention.output.dense.'],
  [/\.sa_layer_norm\./, '.attention.output.LayerNorm.'],
  [/\.ffn\.lin1\./, '.intermediate.dense.'],
  [/\.ffn\.lin2\./, '.output.dense.'],
  [/\.output_layer_norm\./, '.output.LayerNorm.'],
  [/^pre_classifier\./, 'pooler.dense.'],
  [/^vocab_transform\./, 'cls.predictions.transform.dense.'],
  [/^vocab_layer_norm\./, 'cls.predictions.transform.LayerNorm.'],
  [/^vocab_projector\.bias$/, 'cls.predictions.bias'],
]

/** BERT's name of a weight that RoBERTa, DistilBERT or an older file calls otherwise. */
export const canonical = (name: string): string =>
  NAMES.reduce((named, [theirs, ours]) => named.replace(theirs, ours), name)
