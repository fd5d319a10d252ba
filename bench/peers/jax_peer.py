"""JAX as a peer of the benchmark: the same objective and its gradient under one jax.jit.

argv[1]: threads. argv[2]: `cpu` unless said, or `cuda`.
"""
import os
import sys
import time

from protocol import memory, pin, read_safetensors, serve, timed

threads = int(sys.argv[1])
platform = sys.argv[2] if len(sys.argv) > 2 else 'cpu'
os.environ['JAX_PLATFORMS'] = platform
if platform == 'cpu':
    pin(threads)
    os.environ['XLA_FLAGS'] = f'--xla_cpu_multi_thread_eigen={"true" if threads > 1 else "false"}'
else:
    # float32 as everywhere else: no TF32; and other processes need the device too
    os.environ['JAX_DEFAULT_MATMUL_PRECISION'] = 'highest'
    os.environ['XLA_PYTHON_CLIENT_PREALLOCATE'] = 'false'

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, nn


def conv(x, kernel, stride):
    p = kernel.shape[0] // 2
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), ((p, p), (p, p)), dimension_numbers=('NHWC', 'HWIO', 'NHWC'))


def by_suffix(w, suffix):
    return [v for n, v in w.items() if n.endswith(suffix)]


def lenet(case, w, x):
    kernels, biases = by_suffix(w, 'kernel'), by_suffix(w, 'bias')
    for i, stride in enumerate((2, 2, 1)):
        x = nn.sigmoid(conv(x, kernels[i], stride) + biases[i])
    return x.reshape(x.shape[0], -1) @ kernels[3] + biases[3]


def convnet(case, w, x):
    for i, stride in enumerate((1, 2, 1, 2)):
        x = nn.sigmoid(conv(x, w[f'conv{i}/kernel'], stride) + w[f'conv{i}/bias'])
    return x.reshape(x.shape[0], -1) @ w['dense/kernel'] + w['dense/bias']


def keras(case, w, x):
    for i in range(2):
        x = nn.relu(conv(x, w[f'conv{i}/kernel'], 1) + w[f'conv{i}/bias'])
        x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), 'VALID')
    x = nn.relu(x.reshape(x.shape[0], -1) @ w['dense0/kernel'] + w['dense0/bias'])
    return x @ w['dense1/kernel'] + w['dense1/bias']


def residual(case, w, x, stages, blocks, activation):
    def convolution(x, name, stride):
        norm = f'{name}_bn/'
        y = conv(x, w[f'{name}/kernel'], stride)
        scale = w[norm + 'gamma'] / jnp.sqrt(w[norm + 'moving_variance'] + 1e-5)
        return (y - w[norm + 'moving_mean']) * scale + w[norm + 'beta']

    x = activation(convolution(x, 'stem', 1))
    for stage in range(stages):
        for block in range(blocks):
            name = f'stage{stage}_block{block}'
            stride = 2 if stage > 0 and block == 0 else 1
            inner = activation(convolution(x, name + '_conv0', stride))
            shortcut = convolution(x, name + '_shortcut', stride) if stride > 1 else x
            x = activation(convolution(inner, name + '_conv1', 1) + shortcut)
    return x.mean((1, 2)) @ w['dense/kernel'] + w['dense/bias']


def resnet18(case, w, x):
    return residual(case, w, x, 4, 2, nn.sigmoid)


def resnet20(case, w, x):
    return residual(case, w, x, 3, 3, nn.relu)


def vit(case, w, x):
    """Pre-norm blocks over patches of 4, behind a class token of its own."""
    batch, heads = x.shape[0], case['heads']

    def dense(name, h):
        return h @ w[name + '/kernel'] + w[name + '/bias']

    def norm(name, h):
        centred = h - h.mean(-1, keepdims=True)
        deviation = jnp.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6)
        return centred / deviation * w[name + '/gamma'] + w[name + '/beta']

    kernel = w['patches/kernel']
    patches = lax.conv_general_dilated(x, kernel, (4, 4), 'VALID', dimension_numbers=('NHWC', 'HWIO', 'NHWC'))
    patches = (patches + w['patches/bias']).reshape(batch, -1, kernel.shape[3])
    h = jnp.concatenate([jnp.broadcast_to(w['class'], (batch, 1, kernel.shape[3])), patches], 1) + w['positions']
    for i in range(case['layers']):
        p = f'block{i}/'
        normed = norm(p + 'attention-norm', h)
        split = lambda t: t.reshape(batch, t.shape[1], heads, -1).transpose(0, 2, 1, 3)
        query, key, value = (split(dense(p + part, normed)) for part in ('query', 'key', 'value'))
        scores = query @ key.swapaxes(-1, -2) / np.sqrt(query.shape[-1])
        context = (nn.softmax(scores) @ value).transpose(0, 2, 1, 3).reshape(h.shape)
        h = h + dense(p + 'attention', context)
        h = h + dense(p + 'contract', nn.gelu(dense(p + 'expand', norm(p + 'norm', h)), approximate=False))
    return dense('classifier', norm('norm', h)[:, 0])


def encoder(case, w, x):
    batch, tokens, hidden = x.shape
    heads = case['heads']

    def dense(name, h):
        return h @ w[name + '/kernel'] + w[name + '/bias']

    def norm(name, h):
        centred = h - h.mean(-1, keepdims=True)
        deviation = jnp.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return centred / deviation * w[name + '/gamma'] + w[name + '/beta']

    def split(h):
        return h.reshape(batch, tokens, heads, hidden // heads).transpose(0, 2, 1, 3)

    for i in range(case['layers']):
        p = f'layer{i}/'
        query, key, value = (split(dense(p + part, x)) for part in ('query', 'key', 'value'))
        scores = query @ key.swapaxes(-1, -2) / np.sqrt(hidden // heads)
        context = (nn.softmax(scores) @ value).transpose(0, 2, 1, 3).reshape(batch, tokens, hidden)
        x = norm(p + 'attention-norm', x + dense(p + 'attention', context))
        x = norm(p + 'output-norm', x + dense(p + 'contract', nn.gelu(dense(p + 'expand', x), approximate=False)))
    return dense('classifier', x.mean(1))


MODELS = {
    'lenet': lenet, 'convnet': convnet, 'keras': keras, 'resnet18': resnet18, 'resnet20': resnet20, 'encoder': encoder, 'vit': vit,
}
run = arguments = None


def open_case(request):
    global run, arguments
    case, tensors = request['case'], read_safetensors(request['file'])
    of = {kind: {n.split(' ', 1)[1]: v for n, v in tensors.items() if n.startswith(kind + ' ')} for kind in ('trained', 'fixed')}
    model = MODELS[case['kind']]

    def loss(trained, fixed, x, soft):
        return jnp.mean(jnp.sum(-soft * nn.log_softmax(model(case, {**trained, **fixed}, x)), 1))

    def objective(data, logits, trained, fixed, shared):
        gradients = jax.grad(loss)(trained, fixed, data, nn.softmax(logits))
        return sum(jnp.sum((gradients[k] - shared[k]) ** 2) for k in shared)

    trained, fixed = jax.device_put(of['trained']), jax.device_put(of['fixed'])
    soft = nn.one_hot(tensors['labels'].astype(np.int32), tensors['start labels'].shape[1])
    shared = jax.jit(jax.grad(loss))(trained, fixed, tensors['x'], soft)
    arguments = (*jax.device_put((tensors['start data'], tensors['start labels'])), trained, fixed, shared)
    began = time.perf_counter()
    run = jax.jit(jax.value_and_grad(objective, (0, 1)))
    jax.block_until_ready(run(*arguments))
    return {'compileMs': (time.perf_counter() - began) * 1e3}


def value(request):
    objective, gradient = run(*arguments)
    np.concatenate([np.asarray(g).ravel() for g in gradient]).astype(np.float32).tofile(request['file'])
    return {'value': float(objective)}


serve({
    'about': lambda _: {'name': 'jax', 'version': f'jax {jax.__version__}'},
    'open': open_case,
    'value': value,
    'evaluate': lambda request: timed(request['ms'], lambda: jax.block_until_ready(run(*arguments))),
    'memory': memory,
})
