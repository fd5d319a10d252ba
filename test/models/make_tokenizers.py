"""Makes tokenizers.json next to it with the package tokenizers: small tokenizer.json files, and what they make of texts.

Byte-level BPE as GPT-2 and RoBERTa have it, trained on a few sentences. Made with tokenizers 0.23.

  python3 make_tokenizers.py
"""
import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

TEXT = ['the gradient of a loss leaks the data', 'a leaking gradient, a leaking model', 'training on data leaks data!']
SAID = ['The gradient leaks.', 'a naïve café costs 5 € 🙂', '  two  spaces', "it's training", 'leaking']


def trained(special, post):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=300, special_tokens=special, show_progress=False,
                                                    initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.post_processor = post(t)
    return {'file': json.loads(t.to_str()), 'ids': [t.encode(s).ids for s in SAID],
            'back': [t.decode(t.encode(s).ids, skip_special_tokens=True) for s in SAID]}


out = {'texts': SAID,
       'gpt2': trained(['<|endoftext|>'], lambda t: processors.ByteLevel(trim_offsets=False)),
       'roberta': trained(['<s>', '<pad>', '</s>', '<unk>', '<mask>'],
                          lambda t: processors.RobertaProcessing(('</s>', 2), ('<s>', 0), trim_offsets=True, add_prefix_space=False))}
(Path(__file__).parent / 'tokenizers.json').write_text(json.dumps(out) + '\n')
