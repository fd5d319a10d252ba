"""Exports small models of PyTorch with both exporters and several opsets, for bench/exports/check.ts.

python3 -m venv env && env/bin/pip install torch torchvision onnx onnxscript transformers
env/bin/python bench/exports/generate.py FOLDER [--quick] [NAME ...]

A folder for each model: answers.safetensors with the input, the output and the gradient of the cross-entropy of classes 0 and 1, in
float64, and EXPORTER-OPSET.onnx. status.json has what an exporter said where it failed. What is there is kept. With --quick dynamo writes three opsets.
"""

import contextlib
import copy
import io
import json
import logging
import pathlib
import sys
import warnings

import torch
import torchvision
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F
from torchvision.models import convnext, efficientnet, mobilenetv3, swin_transformer, vgg

logging.disable(logging.WARNING)
warnings.filterwarnings("ignore")

OPSETS = (13, 17, 18, 20, 21, 23)
CLASSES = 3


def image(channels=3, size=32):
    return lambda: torch.rand(2, channels, size, size)


def series(*shape):
    return lambda: torch.rand(2, *shape)


def words(count, length):
    # from 1 on: BERT gives the row of token 0 no gradient (padding_idx), which no ONNX file says
    return lambda: torch.randint(1, count, (2, length))


class Recurrent(nn.Module):
    def __init__(self, kind, **options):
        super().__init__()
        self.cell = kind(3, 4, batch_first=True, **options)
        self.head = nn.Linear(8 if options.get("bidirectional") else 4, CLASSES)

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])


class Spoken(nn.Module):
    """A classifier of sentences."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(17, 6)
        self.cell = nn.LSTM(6, 5, num_layers=2, batch_first=True)
        self.head = nn.Linear(5, CLASSES)

    def forward(self, ids):
        return self.head(self.cell(self.words(ids))[1][0][-1])


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(1, 4, 3, 2, 1)
        self.middle = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.GroupNorm(2, 4)
        self.up = nn.ConvTranspose2d(4, 2, 2, 2)
        self.last = nn.Conv2d(3, CLASSES, 1)

    def forward(self, x):
        y = self.up(F.silu(self.norm(self.middle(self.down(x)))))
        y = self.last(torch.cat([x, y], 1))
        return F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False).mean((2, 3))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0, "gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x):
        return self.head(self.encoder(x).mean(1))


class Attention(nn.Module):
    """Causal, by the function of PyTorch."""

    def __init__(self):
        super().__init__()
        self.qkv, self.head = nn.Linear(8, 24), nn.Linear(8, CLASSES)

    def forward(self, x):
        q, k, v = (t.unflatten(-1, (2, 4)).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.head(y.transpose(1, 2).flatten(2)[:, -1])


class Part(nn.Module):
    """One output of a model of transformers, of its last token where there is one a token."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids):
        logits = self.model(input_ids=ids).logits
        return logits[:, -1] if logits.dim() == 3 else logits


def bert(attention):
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=19, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, num_labels=CLASSES,
        max_position_embeddings=12, attn_implementation=attention,
    )
    return lambda: Part(BertForSequenceClassification(config))


def gpt2(attention):
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=19, n_embd=8, n_layer=2, n_head=2, n_positions=12, use_cache=False, attn_implementation=attention,
    )
    return lambda: Part(GPT2LMHeadModel(config))


def resnet(blocks, block=torchvision.models.resnet.BasicBlock):
    return lambda: torchvision.models.ResNet(block, blocks, num_classes=CLASSES)


def mlp(*layers):
    return lambda: nn.Sequential(nn.Linear(6, 5), *layers, nn.Linear(5, CLASSES))


def cnn():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.Sigmoid(), nn.MaxPool2d(2), nn.Conv2d(4, 3, 3, stride=2), nn.ELU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, CLASSES),
    )


def lenet():
    return nn.Sequential(
        nn.Conv2d(3, 12, 5, 2, 2), nn.Sigmoid(), nn.Conv2d(12, 12, 5, 2, 2), nn.Sigmoid(), nn.Conv2d(12, 12, 5, 1, 2), nn.Sigmoid(),
        nn.Flatten(), nn.Linear(768, CLASSES),
    )


def vgg_small():
    return nn.Sequential(
        vgg.make_layers([8, "M", 8, "M", 8, 8, "M"], batch_norm=True), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(32, 16), nn.ReLU(True), nn.Dropout(), nn.Linear(16, CLASSES),
    )


def mobilenet_v3():
    settings, last = mobilenetv3._mobilenet_v3_conf("mobilenet_v3_small", width_mult=0.25)
    return mobilenetv3.MobileNetV3(settings, last // 8, num_classes=CLASSES)


def efficientnet_b0():
    settings, last = efficientnet._efficientnet_conf("efficientnet_b0", width_mult=0.25, depth_mult=0.5)
    return efficientnet.EfficientNet(settings, 0.2, last_channel=64, num_classes=CLASSES)


MODELS = {
    "mlp": (mlp(nn.Tanh()), series(6)),
    "mlp, batch norm": (mlp(nn.BatchNorm1d(5), nn.LeakyReLU(), nn.Dropout(0.1)), series(6)),
    "mlp, layer norm": (mlp(nn.LayerNorm(5), nn.GELU()), series(6)),
    "LeNet": (lenet, image()),
    "CNN": (cnn, image(2, 8)),
    "ResNet-18": (resnet([2, 2, 2, 2]), image()),
    "ResNet, bottlenecks": (resnet([1, 1, 1, 1], torchvision.models.resnet.Bottleneck), image()),
    "VGG": (vgg_small, image()),
    "DenseNet": (lambda: torchvision.models.DenseNet(4, (2, 2), 8, num_classes=CLASSES), image()),
    "SqueezeNet": (lambda: torchvision.models.squeezenet1_1(num_classes=CLASSES), image(3, 40)),
    "ShuffleNetV2": (lambda: torchvision.models.ShuffleNetV2([1, 1, 1], [8, 16, 32, 64, 32], CLASSES), image()),
    "MobileNetV2": (lambda: torchvision.models.MobileNetV2(CLASSES, 0.1, round_nearest=4), image()),
    "MobileNetV3": (mobilenet_v3, image()),
    "EfficientNet-B0": (efficientnet_b0, image()),
    "MNASNet": (lambda: torchvision.models.MNASNet(0.2, CLASSES), image()),
    "ConvNeXt": (
        lambda: convnext.ConvNeXt([convnext.CNBlockConfig(8, 16, 1), convnext.CNBlockConfig(16, None, 1)], num_classes=CLASSES),
        image(),
    ),
    "ViT": (lambda: torchvision.models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=CLASSES), image()),
    "Swin": (
        lambda: swin_transformer.SwinTransformer([4, 4], 8, [2, 2], [2, 2], [2, 2], num_classes=CLASSES),
        image(),
    ),
    "U-Net": (UNet, image(1, 8)),
    "transformer encoder": (Encoder, series(4, 8)),
    "causal attention": (Attention, series(4, 8)),
    "BERT, eager": (bert("eager"), words(19, 7)),
    "BERT, SDPA": (bert("sdpa"), words(19, 7)),
    "GPT-2, eager": (gpt2("eager"), words(19, 7)),
    "GPT-2, SDPA": (gpt2("sdpa"), words(19, 7)),
    "LSTM": (lambda: Recurrent(nn.LSTM, bidirectional=True), series(4, 3)),
    "LSTM, words": (Spoken, words(17, 5)),
    "GRU": (lambda: Recurrent(nn.GRU, bidirectional=True), series(4, 3)),
    "RNN": (lambda: Recurrent(nn.RNN), series(4, 3)),
    "CNN, 1-D": (
        lambda: nn.Sequential(nn.Conv1d(2, 4, 3), nn.Softplus(), nn.AvgPool1d(2), nn.Flatten(), nn.Linear(12, CLASSES)),
        series(2, 8),
    ),
}


def answers(model, x):
    """In float64. Weights that are used twice have the name of their first use, as in named_parameters()."""
    exact = copy.deepcopy(model).double()
    output = exact(x.double() if x.is_floating_point() else x)
    F.cross_entropy(output, torch.tensor([0, 1])).backward()
    found = {f"gradient {name}": p.grad for name, p in exact.named_parameters() if p.grad is not None}
    found |= {"input": x, "output": output.detach()}
    return {key: (t.float() if t.is_floating_point() else t).contiguous() for key, t in found.items()}


def export(model, x, path, exporter, opset):
    if exporter == "torchscript":
        torch.onnx.export(
            model, (x,), path, dynamo=False, opset_version=opset, input_names=["input"], output_names=["output"],
            dynamic_axes={"input": {0: "batch"}}, training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
        )
    else:
        shapes = ({0: torch.export.Dim("batch")},)
        keep = {"optimize": False} if exporter == "dynamo" else {}
        torch.onnx.export(
            model, (x,), path, dynamo=True, opset_version=opset, input_names=["input"], dynamic_shapes=shapes, verbose=False, **keep
        )


def main():
    quick = "--quick" in sys.argv
    out, *wanted = [word for word in sys.argv[1:] if word != "--quick"]
    out = pathlib.Path(out)
    status = {"torch": torch.__version__, "failed": {}}
    opsets = {"torchscript": OPSETS, "dynamo": (17, 18, 23) if quick else OPSETS, "folded": (20,)}
    for name, (make, data) in MODELS.items():
        if wanted and name not in wanted:
            continue
        torch.manual_seed(7)
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        model = make().eval()
        for module in model.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.6, 1.4)
        for weight in model.parameters():
            # the head of torchvision's ViT begins at 0, behind which no gradient shows
            if weight.dim() > 1 and not weight.any():
                nn.init.normal_(weight, std=0.2)
        x = data()
        try:
            save_file(answers(model, x), folder / "answers.safetensors")
        except Exception as error:
            status["failed"][name] = str(error)
            continue
        # and dynamo as it is without optimize=False
        for exporter, versions in opsets.items():
            for opset in versions:
                path = folder / f"{exporter}-{opset}.onnx"
                if path.exists():
                    continue
                said = io.StringIO()
                try:
                    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                        export(model, x, str(path), exporter, opset)
                except Exception as error:
                    status["failed"][f"{name}/{exporter}-{opset}"] = str(error).strip().split("\n")[0][:200]
        print(name, flush=True)
    (out / "status.json").write_text(json.dumps(status, indent=1))


if __name__ == "__main__":
    main()
