"""Writes models of PyTorch 2 as dynamo exports them, to the folder pytorch beside this file.

env/bin/python make_dynamo.py [NAME ...], in the environment of bench/exports/generate.py, which has the models.
"""

import gzip
import pathlib
import sys

import onnx
import torch
from safetensors.torch import save_file

here = pathlib.Path(__file__).parent
sys.path.append(str(here / "../../../bench/exports"))
from generate import MODELS, answers  # noqa: E402

KEPT = ("pkg.torch.onnx.name_scopes", "pkg.torch.onnx.fx_node")

# with optimize=True, which is the default, the exporter merges weights of equal numbers and turns those of linear layers
FILES = {"dynamo-gpt2": ("GPT-2, SDPA", False), "dynamo-lstm": ("LSTM", False), "dynamo-merged": ("transformer encoder", True)}
for name, (title, optimize) in FILES.items():
    if len(sys.argv) > 1 and name not in sys.argv:
        continue
    make, data = MODELS[title]
    torch.manual_seed(7)
    model, x = make().eval(), data()
    exported = torch.onnx.export(
        model, (x,), dynamo=True, opset_version=20, optimize=optimize, verbose=False, input_names=["input"], output_names=["output"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    ).model_proto
    for node in exported.graph.node:
        # nothing of the machine that it was made on
        kept = [entry for entry in node.metadata_props if entry.key in KEPT[: 2 if optimize else 1]]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
        node.doc_string = ""
    exported.graph.doc_string = ""
    (here / f"pytorch/{name}.onnx.gz").write_bytes(gzip.compress(exported.SerializeToString(), mtime=0))
    save_file(answers(model, x), here / f"pytorch/{name}.safetensors")
