"""DAGER's own code as a peer: its model, its client's gradient, and its attack on a gradient that may have been changed since.

  python3 bench/peers/dager_peer.py THREADS CHECKOUT MODEL TOKENIZER FOLDER

CHECKOUT is a clone of github.com/insait-institute/dager-gradient-inversion. MODEL is `decoder` or `encoder`, which get random weights, or
`minilm`. TOKENIZER is the folder with MiniLM's tokenizer and weights. FOLDER is where the model is written.

DAGER runs as it is, but for three things that it would download or that depend on the model's size: the package `datasets` is
replaced by ROUGE-1 alone, the models are read from FOLDER under the names that DAGER knows, and the layers whose rank is looked at
end with the model.
"""
import os
import sys
import time
import types
from collections import Counter

import torch

from protocol import memory, pin, serve

# names that DAGER knows: it looks for a folder of that name first
NAMES = {'decoder': 'gpt2', 'encoder': 'bert-base-uncased', 'minilm': 'bert-base-uncased'}
VOCABULARY = 20_000


def save_decoder(folder):
    """A GPT-2 of 2 x 256 with random weights, and a tokenizer whose words are w0, w1, …; the last one ends a text."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    end = f'w{VOCABULARY - 1}'
    words = Tokenizer(models.WordLevel({f'w{i}': i for i in range(VOCABULARY)}, unk_token=end))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    # as GPT-2's own: without token types, which GPT-2 would add to the words
    names = ['input_ids', 'attention_mask']
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token=end, model_input_names=names).save_pretrained(folder)
    sizes = GPT2Config(vocab_size=VOCABULARY, n_embd=256, n_layer=2, n_head=4, n_positions=24, bos_token_id=VOCABULARY - 1,
                       eos_token_id=VOCABULARY - 1)
    GPT2LMHeadModel(sizes).save_pretrained(folder)


def save_encoder(folder, tokenizer, trained):
    """A BERT classifier: 2 x 128 with random weights, or MiniLM with a random classifier."""
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    words = BertTokenizerFast.from_pretrained(tokenizer)
    words.save_pretrained(folder)
    if trained:
        model = BertForSequenceClassification.from_pretrained(tokenizer)
    else:
        sizes = BertConfig(vocab_size=len(words), hidden_size=128, num_hidden_layers=3, num_attention_heads=4,
                           intermediate_size=256, max_position_embeddings=64, initializer_range=0.1)
        model = BertForSequenceClassification(sizes)
    model.save_pretrained(folder)


class Rouge1:
    """What DAGER uses of the package `datasets`: F1 of single words, by which it matches sentences with the client's."""

    def compute(self, predictions, references):
        scores = [self.f1(a.split(), b.split()) for a, b in zip(predictions, references)]
        return {'rouge1': types.SimpleNamespace(mid=types.SimpleNamespace(fmeasure=sum(scores) / len(scores)))}

    def f1(self, a, b):
        common = sum((Counter(a) & Counter(b)).values())
        return 2 * common / max(1, len(a) + len(b))


def load(checkout, model, folder):
    """DAGER's attack and its wrapper of the model. Both read the command line and the working directory."""
    import peft  # transformers and peft look for the real package: before another stands in its place

    sys.path.insert(0, checkout)
    sys.modules['datasets'] = types.SimpleNamespace(load_metric=None, load_dataset=None)
    os.environ.setdefault('HF_TOKEN', '')
    os.environ['HF_HUB_OFFLINE'] = '1'
    os.chdir(folder)
    task = 'next_token_pred' if model == 'decoder' else 'seq_class'
    # scripts/gpt2.sh and scripts/bert.sh
    l1 = 'all' if model == 'decoder' else 'maxB'
    sys.argv = ['attack.py', '--dataset', 'cola', '--split', 'val', '--n_inputs', '1', '--l1_filter', l1, '--l2_filter', 'non-overlap',
                '--model_path', NAMES[model], '--device', 'cpu', '--task', task]
    import attack
    from utils.models import ModelWrapper

    wrapper = ModelWrapper(attack.args)
    count = len(list(wrapper.model.parameters()))
    layers = wrapper.model.config.num_hidden_layers
    wrapper.layer_ids = [i for i in wrapper.layer_ids if i < count][:layers]
    return attack, wrapper


class Dager:
    def __init__(self, checkout, model, folder):
        self.attack, self.wrapper = load(checkout, model, folder)
        self.names = [name for name, _ in self.wrapper.model.named_parameters()]
        self.ids = {}
        decode = self.wrapper.tokenizer.decode

        def remembered(ids):
            text = decode(ids)
            self.ids[text] = [int(i) for i in ids]
            return text

        self.wrapper.tokenizer.decode = remembered
        self.gradients = None

    def share(self, request):
        """The client's gradient by DAGER's own code, changed as said, in a file by the model's names; and the token ids."""
        from safetensors.torch import save_file

        batch = self.wrapper.tokenizer(request['texts'], padding=True, return_tensors='pt')
        clean = self.wrapper.compute_grads(batch, torch.tensor([request['labels']]))
        self.gradients = [changed(g.detach().contiguous(), request['shared'], request['seed'] + i) for i, g in enumerate(clean)]
        save_file(dict(zip(self.names, self.gradients)), request['file'])
        return {'ids': [ids[mask.bool()].tolist() for ids, mask in zip(batch['input_ids'], batch['attention_mask'])]}

    def search(self, request):
        """DAGER's reconstruct on the gradient of the last `share`."""
        args = self.attack.args
        vars(args).update({'batch_size': len(request['texts']), 'n_incorrect': len(request['texts']), **request['settings']})
        torch.manual_seed(args.rng_seed)
        self.ids.clear()
        self.wrapper.compute_grads = lambda *_: [g.clone() for g in self.gradients]
        labels = torch.tensor([request['labels']])
        began, found, error = time.process_time(), [], None
        try:
            found, _ = self.attack.reconstruct(args, args.device, (request['texts'], labels), Rouge1(), self.wrapper)
        except Exception as failure:
            error = f'{type(failure).__name__}: {failure}'
        finally:
            del self.wrapper.compute_grads
        seconds = time.process_time() - began
        return {'found': [self.ids.get(text, []) for text in found], 'seconds': seconds, 'failed': error}


def changed(gradient, shared, seed):
    if shared == 'float32':
        return gradient
    if shared == 'float16':
        return gradient.half().float()
    level = float(shared.removeprefix('noise '))
    normal = torch.randn(gradient.shape, generator=torch.Generator().manual_seed(seed))
    return gradient + level * gradient.pow(2).mean().sqrt() * normal


if __name__ == '__main__':
    threads, checkout, model, tokenizer, folder = sys.argv[1:6]
    torch.set_num_threads(int(threads))
    pin(int(threads))
    torch.manual_seed(0)
    own = os.path.join(folder, NAMES[model])
    if not os.path.exists(own):
        save_decoder(own) if model == 'decoder' else save_encoder(own, tokenizer, model == 'minilm')
    dager = Dager(os.path.abspath(checkout), model, os.path.abspath(folder))
    serve({'share': dager.share, 'attack': dager.search, 'memory': memory})
