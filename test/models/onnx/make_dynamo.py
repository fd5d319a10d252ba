"""Writes models of PyTorch 2 as dynamo exports them, to the folder pytorch beside this file.

env/bin/python make_dynamo.py, in the environment of bench/exports/generate.py, which has the models.
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

for name, title in {"dynamo-gpt2": "GPT-2, SDPA", "dynamo-lstm": "LSTM"}.items():
    make, data = MODELS[title]
    torch.manual_seed(7)
    model, x = make().eval(), data()
    exported = torch.onnx.export(
        model, (x,), dynamo=True, opset_version=20, optimize=False, verbose=False, input_names=["input"], output_names=["output"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    ).model_proto
    for node in exported.graph.node:
        # nothing of the machine that it was made on
        kept = [entry for entry in node.metadata_props if entry.key == "pkg.torch.onnx.name_scopes"]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
        node.doc_string = ""
    exported.graph.doc_string = ""
    (here / f"pytorch/{name}.onnx.gz").write_bytes(gzip.compress(exported.SerializeToString(), mtime=0))
    save_file(answers(model, x), here / f"pytorch/{name}.safetensors")
