"""Makes torch-traces.json: PyTorch's own optimizers, evaluation by evaluation, in float64.

  /usr/bin/python3 test/optim/torch-traces.py > test/optim/torch-traces.json

An L-BFGS trace holds f(x) and the projection sum(cos(i + 1) x_i) of every point the closure was called at, and the number of
calls when each step(closure) returned. It ends after about LIMIT calls, or where PyTorch is stuck: a step(closure) that made a
single call. Rounding errors grow along a trajectory: it ends before that if PyTorch itself, started one part in 1e15 away, is
off by 1e-10. An Adam trace holds the point after each step. A line search holds every trial step and the accepted one along
bend (t - minimum)^2 + wave cos(frequency t).
"""
import json
import math
import random
import torch
from torch.optim.lbfgs import _strong_wolfe

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
LIMIT = 150


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def quadratic(x):
    i = torch.arange(len(x), dtype=torch.float64)
    return 0.5 * (1000 ** (i / (len(x) - 1)) * (x - 1) ** 2).sum() + 0.5 * ((x[1:] - x[:-1]) ** 2).sum()


def quartic(x):
    i = torch.arange(1, len(x) + 1, dtype=torch.float64)
    return (i * (x - 1) ** 4).sum() + 0.1 * x.sum() ** 2


def sigmoids(x):
    k = torch.arange(1, 2 * len(x) + 1, dtype=torch.float64)[:, None]
    j = torch.arange(1, len(x) + 1, dtype=torch.float64)[None, :]
    a = torch.sin(k * j)
    return 100 * ((torch.sigmoid(a @ x) - torch.sigmoid(a @ torch.cos(3 * j[0]))) ** 2).sum()


FUNCTIONS = {f.__name__: f for f in (rosenbrock, quadratic, quartic, sigmoids)}


def start(name, n):
    i = torch.arange(n, dtype=torch.float64)
    return torch.where(i % 2 == 0, -1.2, 1.0) if name == 'rosenbrock' else torch.sin(i + 1)


def trajectory(name, x, torch_options):
    x = x.clone().requires_grad_(True)
    f, optimizer = FUNCTIONS[name], torch.optim.LBFGS([x], **torch_options)
    weights = torch.cos(torch.arange(1, len(x) + 1, dtype=torch.float64))
    values, projections, outer = [], [], []

    def closure():
        optimizer.zero_grad()
        value = f(x)
        value.backward()
        values.append(value.item())
        projections.append((weights * x.detach()).sum().item())
        return value
    while len(values) < LIMIT:
        before = len(values)
        optimizer.step(closure)
        outer.append(len(values))
        if len(values) == before + 1:
            break
    return values, projections, outer


def lbfgs(name, n, options, **torch_options):
    x = start(name, n)
    values, projections, outer = trajectory(name, x, torch_options)
    nearby = trajectory(name, x * (1 + 1e-15), torch_options)
    close = [abs(a - c) <= 1e-10 * max(1, abs(a)) and abs(b - d) <= 1e-10 * max(1, abs(b))
             for a, b, c, d in zip(values, projections, *nearby[:2])]
    count = (close + [False]).index(False)
    return {'function': name, 'n': n, 'options': options, 'values': values[:count], 'projections': projections[:count],
            'iterationEnds': [k for k in outer if k <= count], 'stuck': count == len(values) and outer[-1] - outer[-2] == 1}


def adam(name, n, optimizer, options, steps=40, **torch_options):
    f, x = FUNCTIONS[name], start(name, n).requires_grad_(True)
    optimizer = optimizer([x], **torch_options)
    points = []
    for _ in range(steps):
        optimizer.zero_grad()
        f(x).backward()
        optimizer.step()
        points.append(x.tolist())
    return {'function': name, 'n': n, 'options': options, 'points': points}


def curve(numbers):
    return [round(v, 3) for v in (
        10 ** numbers.uniform(-2, 1), numbers.uniform(0.1, 20), numbers.uniform(0, 5), numbers.uniform(0.1, 4),
        10 ** numbers.uniform(-2, 2), 10 ** numbers.uniform(-2, -0.1))]


def line_search(bend, minimum, wave, frequency, step, c2):
    trials = []

    def at(x, t, d):
        t = float(t)
        trials.append(t)
        slope = 2 * bend * (t - minimum) - wave * frequency * math.sin(frequency * t)
        return bend * (t - minimum) ** 2 + wave * math.cos(frequency * t), torch.tensor([slope])

    value, gradient = at(None, 0, None)
    trials.clear()
    _, _, accepted, _ = _strong_wolfe(at, None, step, torch.ones(1), value, gradient, gradient[0], c2=c2)
    return {'bend': bend, 'minimum': minimum, 'wave': wave, 'frequency': frequency, 'step': step, 'remainingSlope': c2,
            'trials': trials, 'accepted': float(accepted)}


NUMBERS = random.Random(1)
# Among them: a growing step whose value is above the one before, yet low enough, on its second and its third trial.
CURVES = [curve(NUMBERS) for _ in range(80)] + [
    [0.032, 2.144, 7.114, 1.976, 0.332, 0.01], [0.018, 6.884, 6.265, 2.08, 0.314, 0.268],
    [0.826, 24.633, 3.469, 1.079, 0.937, 0.715], [1.701, 7.448, 5.466, 2.507, 0.237, 0.454]]
WOLFE = {'lineSearch': 'strong-wolfe'}
SHORT = {'historySize': 5, 'innerIterations': 4, 'learningRate': 0.5}
print(json.dumps({
    'madeBy': f'test/optim/torch-traces.py with PyTorch {torch.__version__}',
    'lbfgs': [
        lbfgs('quadratic', 30, {}),
        lbfgs('quadratic', 8, {'gradientTolerance': 0.01}, tolerance_grad=0.01),
        lbfgs('rosenbrock', 4, {}),
        lbfgs('sigmoids', 12, SHORT, history_size=5, max_iter=4, lr=0.5),
        lbfgs('sigmoids', 6, {'learningRate': 0.2}, lr=0.2),
        lbfgs('quartic', 8, {'learningRate': 0.1}, lr=0.1),
        lbfgs('quadratic', 8, {'learningRate': 0.15, 'historySize': 20}, lr=0.15, history_size=20),
        lbfgs('quadratic', 30, WOLFE, line_search_fn='strong_wolfe'),
        lbfgs('sigmoids', 12, WOLFE, line_search_fn='strong_wolfe'),
        lbfgs('sigmoids', 30, WOLFE | {'learningRate': 0.15}, line_search_fn='strong_wolfe', lr=0.15),
        lbfgs('quadratic', 30, WOLFE | {'learningRate': 5}, line_search_fn='strong_wolfe', lr=5),
        lbfgs('sigmoids', 12, WOLFE | {'gradientTolerance': 0.01}, line_search_fn='strong_wolfe', tolerance_grad=0.01),
        lbfgs('rosenbrock', 2, WOLFE, line_search_fn='strong_wolfe'),
        lbfgs('rosenbrock', 10, WOLFE, line_search_fn='strong_wolfe'),
        lbfgs('rosenbrock', 2, WOLFE | SHORT, line_search_fn='strong_wolfe', history_size=5, max_iter=4, lr=0.5),
        lbfgs('rosenbrock', 10, WOLFE | {'learningRate': 50}, line_search_fn='strong_wolfe', lr=50),
    ],
    'lineSearch': [line_search(*numbers) for numbers in CURVES],
    'adam': [
        adam('rosenbrock', 4, torch.optim.Adam, {}, lr=0.1),
        adam('sigmoids', 4, torch.optim.Adam, {'learningRate': 0.02, 'beta1': 0.5, 'beta2': 0.9, 'epsilon': 1e-3},
             lr=0.02, betas=(0.5, 0.9), eps=1e-3),
        adam('quadratic', 4, torch.optim.AdamW, {'weightDecay': 0.05}, lr=0.1, weight_decay=0.05),
    ],
}))
