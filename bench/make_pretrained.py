"""Writes folders of full-size models with random weights as transformers saves them: gpt2, bert-base, distilbert, roberta and llama.

  python3 bench/make_pretrained.py FOLDER
"""
import sys

import torch
import transformers as t

torch.manual_seed(0)
MODELS = {
    'gpt2': t.GPT2LMHeadModel(t.GPT2Config()),
    'bert-base': t.BertForSequenceClassification(t.BertConfig()),
    'distilbert': t.DistilBertForSequenceClassification(t.DistilBertConfig()),
    'roberta': t.RobertaForSequenceClassification(
        t.RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1)),
    'llama': t.LlamaForCausalLM(t.LlamaConfig(vocab_size=32000, hidden_size=768, num_hidden_layers=12, num_attention_heads=12,
                                              num_key_value_heads=4, intermediate_size=2048)),
}
for name, model in MODELS.items():
    model.eval().save_pretrained(f'{sys.argv[1]}/{name}')
