"""Exports classifiers of scikit-learn with skl2onnx, for bench/exports/check.ts.

python3 -m venv env && env/bin/pip install scikit-learn skl2onnx safetensors
env/bin/python bench/exports/generate_scikit.py FOLDER

A folder for each model: answers.safetensors with the input, the probabilities and the gradient of the cross-entropy of classes 0 and 1, by
central differences of predict_proba in float64; OPTIONS.onnx.
"""

import copy
import pathlib
import sys
import warnings

import numpy as np
from safetensors.numpy import save_file
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler

warnings.filterwarnings("ignore")


def mlp(activation="relu"):
    return MLPClassifier((5, 4), activation=activation, max_iter=30, random_state=0)


MODELS = {
    "scikit mlp": (mlp, 3),
    "scikit mlp, tanh": (lambda: mlp("tanh"), 3),
    "scikit mlp, logistic": (lambda: mlp("logistic"), 3),
    "scikit mlp, two classes": (mlp, 2),
    "scikit StandardScaler, mlp": (lambda: make_pipeline(StandardScaler(), mlp()), 3),
    "scikit MinMaxScaler, mlp": (lambda: make_pipeline(MinMaxScaler(), mlp("tanh")), 3),
    "scikit LogisticRegression": (LogisticRegression, 3),
    "scikit LogisticRegression, two classes": (LogisticRegression, 2),
    "scikit StandardScaler, LogisticRegression": (lambda: make_pipeline(StandardScaler(), LogisticRegression()), 3),
    "scikit Normalizer, LogisticRegression": (lambda: make_pipeline(Normalizer(), LogisticRegression()), 3),
}


def weights(model):
    """The arrays of a fitted model by their names in the file; changing one changes the model."""
    last = model[-1] if hasattr(model, "steps") else model
    if hasattr(last, "coef_"):
        return {"coef_": last.coef_, "intercept_": last.intercept_}
    number = lambda i: "" if i == 0 else str(i)
    found = {f"coefficient{number(i)}": w for i, w in enumerate(last.coefs_)}
    return found | {f"intercepts{number(i)}": b for i, b in enumerate(last.intercepts_)}


def answers(model, x):
    exact = copy.deepcopy(model)
    loss = lambda: -np.mean(np.log(exact.predict_proba(x)[[0, 1], [0, 1]]))
    step, found = 1e-6, {}
    for name, array in weights(exact).items():
        gradient = np.zeros_like(array)
        for at in np.ndindex(array.shape):
            value, ends = array[at], []
            for moved in (value + step, value - step):
                array[at] = moved
                ends.append(loss())
            array[at] = value
            gradient[at] = (ends[0] - ends[1]) / (2 * step)
        found[f"gradient {name}"] = gradient
    output = exact.predict_proba(x)
    return {k: np.ascontiguousarray(v, "float32") for k, v in {"input": x, "output": output, **found}.items()}


def main():
    out = pathlib.Path(sys.argv[1])
    random = np.random.default_rng(0)
    data = random.random((60, 6)) * [9, 1, 1, 0.2, 1, 1]
    for name, (make, classes) in MODELS.items():
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        model = make().fit(data.astype("float32").astype("float64"), random.integers(0, classes, 60))
        for array in weights(model).values():
            array[...] = array.astype("float32")
        x = data[:2].astype("float32")
        save_file(answers(model, x.astype("float64")), folder / "answers.safetensors")
        for option, zipmap in (("plain", True), ("zipmap=False", False)):
            for opset in (13, 17, 21):
                file = to_onnx(model, x[:1], options={"zipmap": zipmap}, target_opset=opset)
                (folder / f"{option}-{opset}.onnx").write_bytes(file.SerializeToString())
        print(name, flush=True)


if __name__ == "__main__":
    main()
