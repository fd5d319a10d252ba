"""Makes hugging-face.json next to it with transformers: small models of each family in float64.

For each: config.json, the loss of a small batch, logits, and the gradient of every trained weight under Hugging Face's name. The weights are those
that hugging-face.test.ts draws by the same rule. Made with torch 2.15 and transformers 5.24.

  python3 make_hugging_face.py
"""
import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F
import transformers as t

SIZES = dict(vocab_size=9, hidden_size=4, num_hidden_layers=1, num_attention_heads=2, intermediate_size=6, max_position_embeddings=7)
SHORT = dict(vocab_size=9, dim=4, n_layers=1, n_heads=2, hidden_dim=6, max_position_embeddings=7)
GPT = dict(vocab_size=9, n_embd=4, n_layer=2, n_head=2, n_positions=7)
LLAMA = dict(vocab_size=9, hidden_size=8, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=6,
             max_position_embeddings=7)
THREE = dict(num_labels=3)
MODELS = {
    'bert classes': (t.BertForSequenceClassification, t.BertConfig(**SIZES, **THREE)),
    'bert masked': (t.BertForMaskedLM, t.BertConfig(**SIZES, hidden_act='gelu_new')),
    'roberta classes': (t.RobertaForSequenceClassification,
                        t.RobertaConfig(**{**SIZES, 'max_position_embeddings': 9}, **THREE, type_vocab_size=1, layer_norm_eps=1e-5)),
    'roberta masked': (t.RobertaForMaskedLM, t.RobertaConfig(**{**SIZES, 'max_position_embeddings': 9}, type_vocab_size=1)),
    'distilbert classes': (t.DistilBertForSequenceClassification, t.DistilBertConfig(**SHORT, **THREE)),
    'distilbert masked': (t.DistilBertForMaskedLM, t.DistilBertConfig(**SHORT)),
    'gpt2': (t.GPT2LMHeadModel, t.GPT2Config(**GPT)),
    'gpt2 untied': (t.GPT2LMHeadModel, t.GPT2Config(**GPT, n_inner=6, activation_function='gelu', tie_word_embeddings=False)),
    'llama': (t.LlamaForCausalLM, t.LlamaConfig(**LLAMA)),
    'llama tied': (t.LlamaForCausalLM, t.LlamaConfig(**{**LLAMA, 'num_key_value_heads': 4}, tie_word_embeddings=True, rope_theta=500.0)),
}
SENTENCES = [[2, 5, 7, 5, 3], [8, 6, 4]]
LABELS = [2, 0]
PAD = 1
TARGETS = {1: 6, 3: 8}


def draw(name, shape):
    """Numbers in [-0.5, 0.5) by a linear congruential generator seeded with the sum of the name's letters."""
    state = (sum(map(ord, name)) * 2654435761) % 2**32
    out = []
    for _ in range(math.prod(shape)):
        state = (state * 1664525 + 1013904223) % 2**32
        out.append(state / 2**32 - 0.5)
    return torch.tensor(out, dtype=torch.float32).double().reshape(shape)


def digits(values):
    return [float(f'{v:.8g}') for v in values.flatten().tolist()]


longest = max(map(len, SENTENCES))
ids = torch.tensor([s + [PAD] * (longest - len(s)) for s in SENTENCES])
mask = torch.tensor([[1] * len(s) + [0] * (longest - len(s)) for s in SENTENCES])
out = {'sentences': SENTENCES, 'labels': LABELS, 'targets': [{'position': p, 'token': v} for p, v in TARGETS.items()], 'models': {}}
for name, (kind, config) in MODELS.items():
    config._attn_implementation = 'eager'
    model = kind(config).double().eval()
    with torch.no_grad():
        for key, p in model.named_parameters():
            p.copy_(draw(key, p.shape))
    if 'classes' in name:
        said = model(ids, attention_mask=mask, labels=torch.tensor(LABELS))
    elif 'masked' in name:
        wanted = torch.full((1, len(SENTENCES[0])), -100)
        for p, v in TARGETS.items():
            wanted[0, p] = v
        said = model(torch.tensor(SENTENCES[:1]), labels=wanted)
    else:
        said = model(ids, attention_mask=mask)
    # transformers computes the loss of a language model in float32
    loss = F.cross_entropy(said.logits[:, :-1].transpose(1, 2), ids.masked_fill(mask == 0, -100)[:, 1:]) if said.loss is None else said.loss
    loss.backward()
    shapes = {key: list(p.shape) for key, p in model.named_parameters()}
    gradients = {key: digits(p.grad) for key, p in model.named_parameters() if p.grad is not None}
    left_out = ('dropout', 'drop', 'summary', 'label2id', 'problem', 'initializer', 'version', 'cache')
    file = {k: v for k, v in config.to_diff_dict().items() if not any(word in k for word in left_out)}
    file |= {'model_type': config.model_type, 'architectures': [kind.__name__]}
    out['models'][name] = {'config': file, 'shapes': shapes, 'logits': digits(said.logits[:1]), 'loss': loss.item(), 'gradients': gradients}
(Path(__file__).parent / 'hugging-face.json').write_text(json.dumps(out) + '\n')
