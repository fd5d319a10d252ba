"""PyTorch as a peer of the benchmark: the paper's objective by autograd.grad of autograd.grad, and torch.optim.LBFGS.

argv[2]: `cpu` unless said, `cuda`, or `graph`, which records one evaluation as a CUDA graph and replays it.
"""
import math
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

from protocol import memory, read_safetensors, serve, timed

torch.set_flush_denormal(True)
# float32 as everywhere else: no TF32
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
mode = sys.argv[2] if len(sys.argv) > 2 else 'cpu'
device = 'cpu' if mode == 'cpu' else 'cuda'


class Problem:
    """Weights in PyTorch's layout, the shared gradient, and the unknowns."""

    def __init__(self, case, file):
        self.case = case
        tensors = read_safetensors(file)
        self.weights, trained = {}, []
        for name, values in tensors.items():
            kind, _, rest = name.partition(' ')
            if kind not in ('trained', 'fixed'):
                continue
            w = self.weights[rest] = torch.from_numpy(np.ascontiguousarray(self.layout(rest, values))).to(device)
            if kind == 'trained':
                trained.append(w.requires_grad_(True))
        self.trained = trained
        self.x = self.inward(torch.from_numpy(tensors['x'])).to(device)
        classes = tensors['start labels'].shape[1]
        labels = F.one_hot(torch.from_numpy(tensors['labels']).long(), classes).float().to(device)
        self.labels = labels
        loss = cross_entropy(self.forward(self.x), labels)
        self.shared = [g.detach().clone() for g in torch.autograd.grad(loss, trained)]
        start = self.inward(torch.from_numpy(tensors['start data'])), torch.from_numpy(tensors['start labels'])
        self.start = tuple(t.to(device) for t in start)
        self.begin(*self.start)

    def begin(self, data, logits):
        self.data = data.clone().requires_grad_(True)
        self.logits = logits.clone().requires_grad_(True)

    def layout(self, name, values):
        if values.ndim == 4:
            return values.transpose(3, 2, 0, 1)
        if values.ndim != 2:
            return values
        flattened = {'lenet': 'dense', 'convnet': 'dense/', 'keras': 'dense0/'}.get(self.case['kind'])
        if flattened and name.startswith(flattened):
            # the rows of a flattened image: height, width, channels there; channels, height, width here
            side = self.case['inputShape'][0] // 4
            channels = values.shape[0] // side**2
            values = values.reshape(side, side, channels, -1).transpose(2, 0, 1, 3).reshape(values.shape)
        return values.T

    def inward(self, t):
        return t.permute(0, 3, 1, 2).contiguous() if t.ndim == 4 else t

    def outward(self, t):
        return t.permute(0, 2, 3, 1).contiguous() if t.ndim == 4 else t

    def forward(self, x):
        return MODELS[self.case['kind']](self.case, self.weights, x)

    def objective(self):
        loss = cross_entropy(self.forward(self.data), F.softmax(self.logits, -1))
        gradients = torch.autograd.grad(loss, self.trained, create_graph=True)
        return sum(((a - b) ** 2).sum() for a, b in zip(gradients, self.shared))

    def evaluate(self):
        self.data.grad = self.logits.grad = None
        value = self.objective()
        # only these two: .backward() would also differentiate with respect to the weights
        self.data.grad, self.logits.grad = torch.autograd.grad(value, [self.data, self.logits])
        return value


def cross_entropy(logits, soft):
    return torch.mean(torch.sum(-soft * F.log_softmax(logits, -1), 1))


def by_suffix(weights, names):
    """Weights of layers that tfjs numbered: conv2d_Conv2D1/kernel and so on, in order."""
    return [w for n, w in weights.items() if n.endswith(names)]


def lenet(case, w, x):
    kernels, biases = by_suffix(w, 'kernel'), by_suffix(w, 'bias')
    for i, stride in enumerate((2, 2, 1)):
        x = torch.sigmoid(F.conv2d(x, kernels[i], biases[i], stride=stride, padding=2))
    return F.linear(x.flatten(1), kernels[3], biases[3])


def convnet(case, w, x):
    for i, stride in enumerate((1, 2, 1, 2)):
        x = torch.sigmoid(F.conv2d(x, w[f'conv{i}/kernel'], w[f'conv{i}/bias'], stride=stride, padding=1))
    return F.linear(x.flatten(1), w['dense/kernel'], w['dense/bias'])


def keras(case, w, x):
    for i in range(2):
        x = F.max_pool2d(F.relu(F.conv2d(x, w[f'conv{i}/kernel'], w[f'conv{i}/bias'], padding=1)), 2)
    x = F.relu(F.linear(x.flatten(1), w['dense0/kernel'], w['dense0/bias']))
    return F.linear(x, w['dense1/kernel'], w['dense1/bias'])


def residual(case, w, x, stages, blocks, activation):
    def convolution(x, name, stride):
        kernel, norm = w[f'{name}/kernel'], f'{name}_bn/'
        y = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[2] // 2)
        return F.batch_norm(y, w[norm + 'moving_mean'], w[norm + 'moving_variance'], w[norm + 'gamma'], w[norm + 'beta'], eps=1e-5)

    x = activation(convolution(x, 'stem', 1))
    for stage in range(stages):
        for block in range(blocks):
            name = f'stage{stage}_block{block}'
            stride = 2 if stage > 0 and block == 0 else 1
            inner = activation(convolution(x, name + '_conv0', stride))
            shortcut = convolution(x, name + '_shortcut', stride) if stride > 1 else x
            x = activation(convolution(inner, name + '_conv1', 1) + shortcut)
    return F.linear(x.mean((2, 3)), w['dense/kernel'], w['dense/bias'])


def resnet18(case, w, x):
    return residual(case, w, x, 4, 2, torch.sigmoid)


def resnet20(case, w, x):
    return residual(case, w, x, 3, 3, F.relu)


def vit(case, w, x):
    """Pre-norm blocks over patches of 4, behind a class token of its own."""
    batch, heads = x.shape[0], case['heads']

    def dense(name, h):
        return F.linear(h, w[name + '/kernel'], w[name + '/bias'])

    def norm(name, h):
        return F.layer_norm(h, h.shape[-1:], w[name + '/gamma'], w[name + '/beta'], 1e-6)

    patches = F.conv2d(x, w['patches/kernel'], w['patches/bias'], stride=4).flatten(2).transpose(1, 2)
    h = torch.cat([w['class'].expand(batch, -1, -1), patches], 1) + w['positions']
    for i in range(case['layers']):
        p = f'block{i}/'
        normed = norm(p + 'attention-norm', h)
        split = lambda t: t.view(batch, t.shape[1], heads, -1).transpose(1, 2)
        query, key, value = (split(dense(p + part, normed)) for part in ('query', 'key', 'value'))
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        context = (torch.softmax(scores, -1) @ value).transpose(1, 2).reshape(h.shape)
        h = h + dense(p + 'attention', context)
        h = h + dense(p + 'contract', F.gelu(dense(p + 'expand', norm(p + 'norm', h))))
    return dense('classifier', norm('norm', h)[:, 0])


def encoder(case, w, x):
    batch, tokens, hidden = x.shape
    heads = case['heads']

    def dense(name, h):
        return F.linear(h, w[name + '/kernel'], w[name + '/bias'])

    def norm(name, h):
        return F.layer_norm(h, (hidden,), w[name + '/gamma'], w[name + '/beta'], 1e-12)

    def split(h):
        return h.view(batch, tokens, heads, hidden // heads).transpose(1, 2)

    for i in range(case['layers']):
        p = f'layer{i}/'
        query, key, value = (split(dense(p + part, x)) for part in ('query', 'key', 'value'))
        scores = query @ key.transpose(-1, -2) / math.sqrt(hidden // heads)
        context = (torch.softmax(scores, -1) @ value).transpose(1, 2).reshape(batch, tokens, hidden)
        x = norm(p + 'attention-norm', x + dense(p + 'attention', context))
        x = norm(p + 'output-norm', x + dense(p + 'contract', F.gelu(dense(p + 'expand', x))))
    return dense('classifier', x.mean(1))


MODELS = {
    'lenet': lenet, 'convnet': convnet, 'keras': keras, 'resnet18': resnet18, 'resnet20': resnet20, 'encoder': encoder, 'vit': vit,
}
problem = None
once = None


def synchronize():
    if device == 'cuda':
        torch.cuda.synchronize()


def recorded(problem):
    """One evaluation as a CUDA graph: what it reads and writes stays where it is, and only its kernels run again."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            problem.evaluate()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        value = problem.evaluate()

    def replay():
        graph.replay()
        return value

    return replay


def open_case(request):
    global problem, once
    torch.set_num_threads(request['threads'])
    problem = once = None
    problem = Problem(request['case'], request['file'])
    began = time.perf_counter()
    once = recorded(problem) if mode == 'graph' else problem.evaluate
    once()
    synchronize()
    return {'compileMs': (time.perf_counter() - began) * 1e3}


def value(request):
    if mode != 'graph':
        problem.begin(*problem.start)
    objective = once()
    gradient = [problem.outward(problem.data.grad).flatten(), problem.logits.grad.flatten()]
    torch.cat(gradient).cpu().numpy().tofile(request['file'])
    return {'value': objective.item()}


def evaluate(request):
    def run():
        once()
        synchronize()

    return timed(request['ms'], run)


def iterate(request):
    """Steps of torch.optim.LBFGS with its defaults, one evaluation each, after `fill` of them."""
    data = 0.5 + 0.01 * torch.randn(problem.data.shape, device=device)
    problem.begin(data, torch.zeros(problem.logits.shape, device=device))
    optimizer = torch.optim.LBFGS([problem.data, problem.logits])
    seen = 0

    def closure():
        nonlocal seen
        seen += 1
        return problem.evaluate()

    def steps(until):
        while seen < until:
            before = seen
            optimizer.step(closure)
            if seen < before + 2:
                break

    steps(request['fill'])
    before, began = seen, time.perf_counter()
    steps(before + request['count'])
    synchronize()
    state = optimizer.state[optimizer._params[0]]
    return {'count': seen - before, 'ms': (time.perf_counter() - began) * 1e3, 'pairs': len(state['old_dirs'])}


def attack(request):
    """The paper's recipe from N(0, 1) until the picture is recognised."""
    torch.set_num_threads(1)
    whole = Problem(request['case'], request['file'])
    torch.manual_seed(request['seed'])
    whole.begin(torch.randn(whole.x.shape, device=device), torch.randn(whole.labels.shape, device=device))
    optimizer = torch.optim.LBFGS([whole.data, whole.logits])
    evaluations = 0

    def closure():
        nonlocal evaluations
        evaluations += 1
        return whole.evaluate()

    began, reached = time.perf_counter(), None
    for _ in range(300):
        before = evaluations
        value = optimizer.step(closure).item()
        error = ((whole.data.detach() - whole.x) ** 2).mean().item()
        ms = (time.perf_counter() - began) * 1e3
        if error < request['mse']:
            reached = ms
        if reached or not math.isfinite(value) or evaluations < before + 2 or ms > request['seconds'] * 1e3:
            break
    return {'ms': reached, 'mse': error if math.isfinite(error) else None, 'evaluations': evaluations}


serve({
    'about': lambda _: {'name': 'torch', 'version': f'torch {torch.__version__}'},
    'open': open_case,
    'value': value,
    'evaluate': evaluate,
    'iterate': iterate,
    'attack': attack,
    'memory': memory,
})
