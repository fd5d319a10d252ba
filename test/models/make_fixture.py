"""Makes bert.json next to it with PyTorch: a small BERT in float64, written with torch.nn.functional only.

Logits, loss and the gradient of every weight for each head, for the weights and inputs that bert.test.ts draws by the
same rule. Made with torch 1.13.0.

  python3 make_fixture.py
"""
import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F

V, H, LAYERS, HEADS, WIDE, POSITIONS, TYPES, EPSILON, CLASSES = 11, 8, 2, 2, 12, 7, 2, 1e-12, 3
IDS = [2, 5, 7, 5, 3]
MASKED = {1: 6, 3: 9}


def draw(name, shape):
    """Numbers in [-0.5, 0.5) by a linear congruential generator seeded with the sum of the name's letters."""
    state = (sum(map(ord, name)) * 2654435761) % 2**32
    out = []
    for _ in range(math.prod(shape)):
        state = (state * 1664525 + 1013904223) % 2**32
        out.append(state / 2**32 - 0.5)
    return torch.tensor(out, dtype=torch.float32).double().reshape(shape).requires_grad_()


def dense(name, i, o):
    return {name + '.weight': (o, i), name + '.bias': (o,)}


def norm(name):
    return {name + '.weight': (H,), name + '.bias': (H,)}


shapes = {'embeddings.word_embeddings.weight': (V, H), 'embeddings.position_embeddings.weight': (POSITIONS, H),
          'embeddings.token_type_embeddings.weight': (TYPES, H), **norm('embeddings.LayerNorm')}
for n in range(LAYERS):
    at = f'encoder.layer.{n}.'
    for part in ('query', 'key', 'value'):
        shapes |= dense(at + 'attention.self.' + part, H, H)
    shapes |= dense(at + 'attention.output.dense', H, H) | norm(at + 'attention.output.LayerNorm')
    shapes |= dense(at + 'intermediate.dense', H, WIDE) | dense(at + 'output.dense', WIDE, H) | norm(at + 'output.LayerNorm')
shapes |= dense('pooler.dense', H, H) | dense('classifier', H, CLASSES)
shapes |= dense('cls.predictions.transform.dense', H, H) | norm('cls.predictions.transform.LayerNorm')
shapes |= {'cls.predictions.bias': (V,)}
w = {name: draw(name, shape) for name, shape in shapes.items()}


def linear(x, name):
    return F.linear(x, w[name + '.weight'], w[name + '.bias'])


def layer_norm(x, name):
    return F.layer_norm(x, (H,), w[name + '.weight'], w[name + '.bias'], EPSILON)


def encoder(ids):
    x = F.embedding(torch.tensor(ids), w['embeddings.word_embeddings.weight'])
    x = x + w['embeddings.position_embeddings.weight'][:len(ids)] + w['embeddings.token_type_embeddings.weight'][0]
    x = layer_norm(x, 'embeddings.LayerNorm')
    for n in range(LAYERS):
        at = f'encoder.layer.{n}.'
        q, k, v = (linear(x, at + 'attention.self.' + part).reshape(len(ids), HEADS, H // HEADS).transpose(0, 1)
                   for part in ('query', 'key', 'value'))
        scores = q @ k.transpose(1, 2) / math.sqrt(H // HEADS)
        mixed = (F.softmax(scores, -1) @ v).transpose(0, 1).reshape(len(ids), H)
        x = layer_norm(x + linear(mixed, at + 'attention.output.dense'), at + 'attention.output.LayerNorm')
        wide = F.gelu(linear(x, at + 'intermediate.dense'))
        x = layer_norm(x + linear(wide, at + 'output.dense'), at + 'output.LayerNorm')
    return x


def mean():
    return linear(encoder(IDS).mean(0), 'classifier')


def first():
    return linear(torch.tanh(linear(encoder(IDS)[0], 'pooler.dense')), 'classifier')


def mlm():
    x = layer_norm(F.gelu(linear(encoder(IDS), 'cls.predictions.transform.dense')), 'cls.predictions.transform.LayerNorm')
    return x @ w['embeddings.word_embeddings.weight'].T + w['cls.predictions.bias']


def result(logits, loss):
    grads = torch.autograd.grad(loss, list(w.values()), allow_unused=True)
    used = {name: [float(f'{v:.7g}') for v in g.flatten().tolist()] for name, g in zip(w, grads) if g is not None}
    return {'logits': logits.flatten().tolist(), 'loss': loss.item(), 'gradients': used}


out = {}
for head in (mean, first):
    logits = head()
    out[head.__name__] = result(logits, F.cross_entropy(logits[None], torch.tensor([1])))
logits = mlm()
out['mlm'] = result(logits, F.cross_entropy(logits[list(MASKED)], torch.tensor(list(MASKED.values()))))
(Path(__file__).parent / 'bert.json').write_text(json.dumps(out) + '\n')
