"""Writes small models of PyTorch as ONNX files, with a batch, the output and the gradient of the loss.

Run with PyTorch 1.13 (Debian's python3-torch, python3-torchvision): python3 make_models.py [all]
Without `all` only the models that the tests keep are written, to the folder pytorch beside this file.
"""
import gzip
import io
import json
import pathlib
import struct
import sys

import torch
from torch import nn


def write_safetensors(path, tensors):
    header, data, at = {}, b"", 0
    for name, tensor in tensors.items():
        raw = tensor.detach().contiguous().numpy().tobytes()
        kind = {torch.float32: "F32", torch.int64: "I64"}[tensor.dtype]
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [at, at + len(raw)]}
        data, at = data + raw, at + len(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(x + self.bn2(self.conv2(y)))


class ViT(nn.Module):
    def __init__(self, size=8, patch=4, width=8, layers=2, classes=3):
        super().__init__()
        self.patch = nn.Conv2d(3, width, patch, patch)
        self.cls = nn.Parameter(torch.randn(1, 1, width) * 0.1)
        self.position = nn.Parameter(torch.randn(1, (size // patch) ** 2 + 1, width) * 0.1)
        layer = nn.TransformerEncoderLayer(width, 2, 16, 0.0, "gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.position
        return self.head(self.encoder(x)[:, 0])


class Attention(nn.Module):
    """Causal attention, as GPT-2 has it."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = (t.view(batch, length, self.heads, -1).transpose(1, 2) for t in self.qkv(x).split(width, 2))
        scores = q @ k.transpose(-2, -1) / (width // self.heads) ** 0.5
        mask = torch.tril(torch.ones(length, length)) == 0
        y = scores.masked_fill(mask, float("-inf")).softmax(-1) @ v
        return self.out(y.transpose(1, 2).reshape(batch, length, width))


class Decoder(nn.Module):
    def __init__(self, words=17, width=8, length=5):
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.positions = nn.Embedding(length, width)
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, 2)
        self.head = nn.Linear(width, words, bias=False)

    def forward(self, ids):
        x = self.words(ids) + self.positions(torch.arange(ids.shape[1]))
        x = x + self.attention(self.norm(x))
        return self.head(x[:, -1])


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.cell = kind(3, 4, batch_first=True, bidirectional=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(1, 4, 3, 2, 1)
        self.middle = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.GroupNorm(2, 4)
        self.up = nn.ConvTranspose2d(4, 2, 2, 2)
        self.last = nn.Conv2d(3, 2, 1)

    def forward(self, x):
        y = self.up(nn.functional.silu(self.norm(self.middle(self.down(x)))))
        y = self.last(torch.cat([x, y], 1))
        return nn.functional.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False).mean((2, 3))


def mlp():
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))


def cnn():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.Sigmoid(), nn.MaxPool2d(2), nn.Conv2d(4, 3, 3, stride=2), nn.ELU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3),
    )


def resnet():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3, 2, 1), Block(4), Block(4),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
    )


def image(channels, size):
    return lambda: torch.rand(2, channels, size, size)


KEPT = {
    "mlp": (mlp, lambda: torch.rand(2, 6)),
    "cnn": (cnn, image(2, 8)),
    "resnet": (resnet, image(3, 8)),
    "vit": (ViT, image(3, 8)),
    "decoder": (Decoder, lambda: torch.randint(0, 17, (2, 5))),
    "lstm": (lambda: Recurrent(nn.LSTM), lambda: torch.rand(2, 4, 3)),
    "gru": (lambda: Recurrent(nn.GRU), lambda: torch.rand(2, 4, 3)),
    "unet": (UNet, image(1, 8)),
}


def more():
    import torchvision.models as tv

    def resnet18():
        model = tv.ResNet(tv.resnet.BasicBlock, [2, 2, 2, 2], num_classes=5)
        return model

    return {
        "resnet18": (resnet18, image(3, 32)),
        "resnet50": (lambda: tv.resnet50(num_classes=5), image(3, 32)),
        "vgg11_bn": (lambda: tv.vgg11_bn(num_classes=5), image(3, 32)),
        "alexnet": (lambda: tv.alexnet(num_classes=5), image(3, 64)),
        "squeezenet": (lambda: tv.squeezenet1_1(num_classes=5), image(3, 32)),
        "densenet": (lambda: tv.DenseNet(8, (2, 2), 8, num_classes=5), image(3, 32)),
        "googlenet": (lambda: tv.googlenet(num_classes=5, aux_logits=False, init_weights=False), image(3, 64)),
        "inception": (lambda: tv.inception_v3(num_classes=5, aux_logits=False, init_weights=False), image(3, 96)),
        "mobilenet_v2": (lambda: tv.mobilenet_v2(num_classes=5), image(3, 32)),
        "mobilenet_v3": (lambda: tv.mobilenet_v3_small(num_classes=5), image(3, 32)),
        "shufflenet": (lambda: tv.shufflenet_v2_x0_5(num_classes=5), image(3, 32)),
        "mnasnet": (lambda: tv.mnasnet0_5(num_classes=5), image(3, 32)),
        "regnet": (lambda: tv.regnet_y_400mf(num_classes=5), image(3, 32)),
        "efficientnet_b0": (lambda: tv.efficientnet_b0(num_classes=5), image(3, 32)),
        "convnext_tiny": (lambda: tv.convnext_tiny(num_classes=5), image(3, 32)),
        "vit_b": (lambda: tv.VisionTransformer(32, 8, 2, 4, 32, 64, num_classes=5), image(3, 32)),
        "swin": (lambda: tv.SwinTransformer([4, 4], 16, [2, 2], [2, 2], [4, 4], num_classes=5), image(3, 32)),
        "deconv": (lambda: nn.Sequential(nn.ConvTranspose2d(2, 3, 3, 2, 1, 1), nn.ReLU(), nn.Upsample(scale_factor=2), nn.Flatten(), nn.Linear(768, 3)), image(2, 4)),
        "rnn": (lambda: Recurrent(nn.RNN), lambda: torch.rand(2, 4, 3)),
        "conv1d": (lambda: nn.Sequential(nn.Conv1d(3, 4, 3), nn.PReLU(), nn.AvgPool1d(3, 2, 1), nn.InstanceNorm1d(4, affine=True), nn.Flatten(), nn.Linear(16, 3)), lambda: torch.rand(2, 3, 10)),
        "conv3d": (lambda: nn.Sequential(nn.Conv3d(1, 2, 2), nn.Softplus(), nn.MaxPool3d(2), nn.Flatten(), nn.Linear(16, 3)), lambda: torch.rand(2, 1, 5, 5, 5)),
        "layers": (lambda: nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(1, 4, 3, groups=1), nn.Hardswish(), nn.PixelShuffle(2), nn.LayerNorm(16), nn.AvgPool2d(3, 2, ceil_mode=True), nn.Flatten(), nn.Linear(64, 3), nn.LogSoftmax(1)), image(1, 8)),
    }


def save(folder, name, make, batch, fold):
    torch.manual_seed(7)
    model, x = make().eval(), batch()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    y = torch.arange(len(x)) % 2
    out = model(x)
    nn.functional.cross_entropy(out, y).backward()
    keep = dict() if fold else dict(training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)
    buffer = io.BytesIO()
    torch.onnx.export(
        model, x, buffer, input_names=["input"], output_names=["output"], opset_version=15 if name == "unet" else 17,
        dynamic_axes={"input": {0: "batch"}}, **keep,
    )
    (folder / f"{name}.onnx.gz").write_bytes(gzip.compress(buffer.getvalue(), mtime=0))
    gradients = {n: p.grad for n, p in model.named_parameters()}
    write_safetensors(folder / f"{name}.safetensors", {"input": x, "output": out, **{f"gradient {n}": g for n, g in gradients.items()}})


if __name__ == "__main__":
    here = pathlib.Path(__file__).parent / "pytorch"
    if sys.argv[1:2] == ["all"]:
        here, KEPT = pathlib.Path(sys.argv[2]), {**KEPT, **more()}
    here.mkdir(exist_ok=True)
    for name, (make, batch) in KEPT.items():
        try:
            save(here, name, make, batch, sys.argv[3:4] == ["fold"])
        except Exception as error:
            print(name, type(error).__name__, str(error)[:300])
