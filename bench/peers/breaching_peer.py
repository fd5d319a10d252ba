"""breaching's own attacker with its own settings for *Inverting Gradients*, on weights and gradients that it is given."""
import importlib.util
import sys
import time
import types

import numpy as np
import torch
import torch.nn.functional as F
from omegaconf import OmegaConf

from protocol import memory, read_safetensors, serve

# what the training of its own victims needs (torchvision, data sets) is left out: only its attackers are imported
folder = importlib.util.find_spec('breaching').submodule_search_locations[0]
for name in ('breaching', 'breaching.cases', 'breaching.cases.models', 'breaching.cases.data'):
    package = types.ModuleType(name)
    package.__path__ = [folder + name.removeprefix('breaching').replace('.', '/')]
    sys.modules[name] = package
# a user's module imports what builds data sets
sys.modules['breaching.cases.data'].construct_dataloader = None
from breaching.attacks import prepare_attack  # noqa: E402
from breaching.cases.users import UserMultiStep, UserSingleStep  # noqa: E402

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


class Victim(torch.nn.Module):
    """The network over normalised images, as breaching's step sizes expect them."""

    def __init__(self, kind, trained, fixed):
        super().__init__()
        self.kind, self.names = kind, list(trained)
        self.weights = torch.nn.ParameterList([torch.nn.Parameter(w) for w in trained.values()])
        self.fixed = fixed

    def forward(self, inputs, **_):
        w = {**dict(zip(self.names, self.weights)), **self.fixed}
        x = inputs * inputs.new_tensor(STD)[None, :, None, None] + inputs.new_tensor(MEAN)[None, :, None, None]
        return NETWORKS[self.kind](x, w)


def dense(x, w, name):
    return F.linear(x, w[name + '/kernel'], w[name + '/bias'])


def keras_cnn(x, w):
    for i in (0, 1):
        x = F.max_pool2d(F.relu(F.conv2d(x, w[f'conv{i}/kernel'], w[f'conv{i}/bias'], padding='same')), 2)
    # rows of a flattened image are height, width, channels
    x = F.relu(dense(x.permute(0, 2, 3, 1).flatten(1), w, 'dense0'))
    return dense(x, w, 'dense1')


def blitz_cnn(x, w):
    for i in (0, 1):
        x = F.max_pool2d(F.relu(F.conv2d(x, w[f'conv{i}/kernel'], w[f'conv{i}/bias'])), 2)
    x = x.permute(0, 2, 3, 1).flatten(1)
    for i in (0, 1):
        x = F.relu(dense(x, w, f'dense{i}'))
    return dense(x, w, 'dense2')


def resnet(x, w):
    def convolution(x, name, stride=1):
        kernel, norm = w[name + '/kernel'], name + '_bn'
        x = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)
        statistics = w[norm + '/moving_mean'], w[norm + '/moving_variance']
        return F.batch_norm(x, *statistics, w[norm + '/gamma'], w[norm + '/beta'], eps=1e-5)

    x = F.relu(convolution(x, 'stem'))
    blocks = sorted(name.removesuffix('_conv0/kernel') for name in w if name.endswith('_conv0/kernel'))
    for block in blocks:
        stride = 2 if block + '_shortcut/kernel' in w else 1
        inner = F.relu(convolution(x, block + '_conv0', stride))
        outer = convolution(inner, block + '_conv1')
        x = F.relu(outer + (convolution(x, block + '_shortcut', stride) if stride == 2 else x))
    return dense(x.mean((2, 3)), w, 'dense')


NETWORKS = {'keras': keras_cnn, 'blitz': blitz_cnn, 'resnet20': resnet}


def layout(values):
    axes = {4: (3, 2, 0, 1), 2: (1, 0)}.get(values.ndim)
    return torch.from_numpy(np.ascontiguousarray(values.transpose(axes) if axes else values))


def settings(iterations):
    base, own = (OmegaConf.load(f'{folder}/config/attack/{name}.yaml') for name in (
        '_default_optimization_attack', 'invertinggradients'))
    own.pop('defaults')
    return OmegaConf.merge(base, own, {'optim': {'max_iterations': iterations}})


state = {}


def user(victim, x, labels, steps, rate):
    """breaching's own user: of one gradient, or of local steps over all its data."""
    kind = 'local_updates' if steps > 1 else 'local_gradient'
    own = {'num_data_points': len(labels), 'provide_labels': True}
    if steps > 1:
        own |= {
            'num_local_updates': steps,
            'num_data_per_local_update_step': len(labels),
            'local_learning_rate': rate,
        }
    config = OmegaConf.merge(OmegaConf.load(f'{folder}/config/case/user/{kind}.yaml'), own)
    setup = {'device': torch.device('cpu'), 'dtype': torch.float32}
    loader = [{'inputs': x, 'labels': labels}]
    return (UserMultiStep if steps > 1 else UserSingleStep)(
        victim, torch.nn.CrossEntropyLoss(), loader, setup, idx=0, cfg_user=config
    )


def open_case(request):
    tensors = read_safetensors(request['file'])
    named = lambda kind: {n.partition(' ')[2]: layout(t) for n, t in tensors.items() if n.startswith(kind + ' ')}
    state.update(victim=Victim(request['kind'], named('trained'), named('fixed')), gradients=list(named('gradient').values()))
    state['labels'] = torch.from_numpy(tensors['labels']).long()
    x = torch.from_numpy(tensors['x']).permute(0, 3, 1, 2)
    normal = (x - x.new_tensor(MEAN)[None, :, None, None]) / x.new_tensor(STD)[None, :, None, None]
    payload = {'parameters': list(state['victim'].parameters()), 'buffers': []}
    one = user(state['victim'], normal, state['labels'], request['steps'], request['rate'])
    shared, _ = one.compute_local_updates(payload)
    found, state['metadata'] = shared['gradients'], shared['metadata']
    away = sum(((a - b) ** 2).sum() for a, b in zip(found, state['gradients']))
    return {'residual': float((away / sum((g**2).sum() for g in state['gradients'])).sqrt())}


def attack(request):
    torch.manual_seed(request['seed'])
    victim, gradients = state['victim'], state['gradients']
    metadata = types.SimpleNamespace(shape=(3, 32, 32), mean=MEAN, std=STD, modality='vision')
    payload = [{'parameters': [p.detach() for p in victim.parameters()], 'buffers': [], 'metadata': metadata}]
    shared = [{'gradients': gradients, 'buffers': None, 'metadata': state['metadata']}]
    attacker = prepare_attack(victim, torch.nn.CrossEntropyLoss(), settings(request['iterations']))
    began = time.perf_counter()
    found, _ = attacker.reconstruct(payload, shared, {})
    seconds = time.perf_counter() - began
    data = found['data'] * torch.tensor(STD)[None, :, None, None] + torch.tensor(MEAN)[None, :, None, None]
    return {'data': data.permute(0, 2, 3, 1).flatten().tolist(), 'seconds': seconds}


if __name__ == '__main__':
    torch.set_num_threads(int(sys.argv[1]))
    serve({'open': open_case, 'attack': attack, 'memory': memory})
