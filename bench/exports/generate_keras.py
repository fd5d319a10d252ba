"""Exports small models of Keras through tf2onnx, and to GraphModels of TensorFlow.js where its converter is there, for bench/exports/check.ts.

python3 -m venv env && env/bin/pip install tensorflow-cpu tf2onnx onnx safetensors tf_keras
env/bin/pip install --no-deps tensorflowjs tensorflow_hub
env/bin/python bench/exports/generate_keras.py FOLDER [NAME ...]

A folder for each model: answers.safetensors with the input, the output and the gradient of the cross-entropy of classes 0 and 1, in
float64, by the paths of Keras; EXPORTER-OPSET.onnx; graph/model.json; model.keras. status.json has what an exporter said where it failed. What is there is kept.
"""

import json
import os
import pathlib
import subprocess
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import tensorflow as tf
import tf2onnx
from keras import layers as L
from safetensors.numpy import save_file

OPSETS = (13, 17, 18)
CLASSES = 3


def sequential(shape, *made):
    return keras.Sequential([keras.Input(shape), *made, L.Dense(CLASSES, name="head")])


def residual():
    x = keras.Input((8, 8, 3))
    y = L.Conv2D(4, 3, padding="same", activation="relu", name="stem")(x)
    for i in range(2):
        z = L.Conv2D(4, 3, padding="same", activation="tanh", name=f"first{i}")(y)
        y = L.Add()([y, L.Conv2D(4, 3, padding="same", name=f"second{i}")(z)])
    return keras.Model(x, L.Dense(CLASSES, name="head")(L.GlobalAveragePooling2D()(y)))


def residual_norms():
    x = keras.Input((8, 8, 3))
    y = L.ReLU()(L.BatchNormalization()(L.Conv2D(4, 3, padding="same", use_bias=False)(x)))
    z = L.BatchNormalization()(L.Conv2D(4, 3, padding="same", use_bias=False)(y))
    return keras.Model(x, L.Dense(CLASSES, name="head")(L.GlobalAveragePooling2D()(L.ReLU()(L.Add()([y, z])))))


def branches():
    x = keras.Input((6,))
    a, b = L.Dense(4, activation="sigmoid", name="left")(x), L.Dense(4, activation="elu", name="right")(x)
    return keras.Model(x, L.Dense(CLASSES, name="head")(L.Concatenate()([a, L.Multiply()([a, b])])))


def attention():
    x = keras.Input((5, 8))
    y = L.LayerNormalization(name="norm")(L.Add()([x, L.MultiHeadAttention(2, 4, name="attention")(x, x)]))
    return keras.Model(x, L.Dense(CLASSES, name="head")(L.GlobalAveragePooling1D()(y)))


def mobile():
    """Blocks of MobileNetV2 without batch norms."""
    x = keras.Input((12, 12, 3))
    y = L.Conv2D(4, 3, strides=2, padding="same", activation="relu6", name="stem")(x)
    z = L.Conv2D(8, 1, activation="relu6", name="expand")(y)
    z = L.DepthwiseConv2D(3, padding="same", activation="relu6", name="depthwise")(z)
    y = L.Add()([y, L.Conv2D(4, 1, name="project")(z)])
    return keras.Model(x, L.Dense(CLASSES, name="head")(L.GlobalAveragePooling2D()(y)))


MODELS = {
    "Keras mlp": lambda: sequential((6,), L.Dense(5, activation="tanh"), L.Dense(4, activation="relu")),
    "Keras mlp, unnamed layers": lambda: keras.Sequential([keras.Input((6,)), L.Dense(5, activation="gelu"), L.Dense(4, activation="softplus"), L.Dense(CLASSES)]),
    "Keras mlp, batch norm": lambda: sequential((6,), L.Dense(5), L.BatchNormalization(), L.LeakyReLU()),
    "Keras mlp, layer norm": lambda: sequential((6,), L.Dense(5), L.LayerNormalization(), L.Activation("swish")),
    "Keras CNN": lambda: sequential((8, 8, 2), L.Conv2D(4, 3, padding="same", activation="sigmoid"), L.MaxPooling2D(), L.Conv2D(3, 3, strides=2, activation="elu"), L.Flatten()),
    "Keras CNN, average pools": lambda: sequential((9, 9, 1), L.Conv2D(4, 3, padding="same", activation="relu"), L.AveragePooling2D(2, padding="same"), L.ZeroPadding2D(1), L.Conv2D(3, 3, strides=2, padding="same"), L.ReLU(), L.Flatten()),
    "Keras CNN, batch norm": lambda: sequential((8, 8, 2), L.Conv2D(4, 3, padding="same"), L.BatchNormalization(), L.ReLU(), L.MaxPooling2D(), L.Flatten()),
    "Keras CNN, norm behind ReLU": lambda: sequential((8, 8, 2), L.Conv2D(4, 3, padding="same", activation="relu"), L.BatchNormalization(), L.MaxPooling2D(), L.Flatten()),
    "Keras CNN, 1-D": lambda: sequential((12, 2), L.Conv1D(4, 3, activation="relu"), L.MaxPooling1D(2), L.Conv1D(3, 3, dilation_rate=2, padding="same"), L.Flatten()),
    "Keras CNN, separable": lambda: sequential((8, 8, 2), L.SeparableConv2D(4, 3, padding="same", activation="relu"), L.DepthwiseConv2D(3), L.Flatten()),
    "Keras CNN, transposed": lambda: sequential((4, 4, 2), L.Conv2DTranspose(3, 3, strides=2, padding="same", activation="tanh"), L.UpSampling2D(2), L.Conv2D(2, 3, strides=2), L.Flatten()),
    "Keras residual net": residual,
    "Keras residual net, batch norms": residual_norms,
    "Keras MobileNet blocks": mobile,
    "Keras MobileNetV2": lambda: keras.applications.MobileNetV2((32, 32, 3), 0.35, weights=None, classes=CLASSES, classifier_activation=None),
    "Keras branches": branches,
    "Keras attention": attention,
    "Keras embedding": lambda: sequential((5,), L.Embedding(11, 4), L.GlobalAveragePooling1D(), L.Dense(5, activation="relu")),
    "Keras LSTM": lambda: sequential((6, 3), L.LSTM(4)),
    "Keras LSTM, words": lambda: sequential((5,), L.Embedding(11, 4), L.Bidirectional(L.LSTM(3, return_sequences=True)), L.LSTM(4)),
    "Keras GRU": lambda: sequential((6, 3), L.GRU(4)),
    "Keras GRU, reset before": lambda: sequential((6, 3), L.GRU(4, reset_after=False)),
    "Keras RNN": lambda: sequential((6, 3), L.SimpleRNN(4)),
}


def built(make, kind):
    """The model with numbers of its own in every weight: exporters drop what adds zero."""
    keras.backend.clear_session()
    keras.config.set_floatx(kind)
    model = make()
    random = np.random.default_rng(7)
    for w in model.weights:
        positive = w.path.endswith(("variance", "gamma"))
        size = (3 / max(1, np.prod(w.shape[:-1]))) ** 0.5 if len(w.shape) > 1 else 0.2
        numbers = random.uniform(0.6, 1.4, w.shape) if positive else random.uniform(-size, size, w.shape)
        w.assign(numbers.astype("float32"))
    return model


def data(model):
    random = np.random.default_rng(3)
    shape = (2, *model.input_shape[1:])
    words = isinstance(model.layers[0], L.Embedding)
    return random.integers(1, 11, shape).astype("float32") if words else random.random(shape, "float32")


def answers(model, x):
    with tf.GradientTape() as tape:
        output = model(x.astype("float64"), training=False)
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(np.array([0, 1]), output, from_logits=True))
    variables = [w.value for w in model.trainable_weights]
    gradients = tape.gradient(loss, variables)
    found = {f"gradient {w.path}": tf.convert_to_tensor(g).numpy() for w, g in zip(model.trainable_weights, gradients)}
    return {k: np.ascontiguousarray(v, "float32") for k, v in {"input": x, "output": output.numpy(), **found}.items()}


def export(model, x, path, exporter, opset):
    if exporter == "keras":
        model.export(path, format="onnx", verbose=False)
    elif exporter == "function":
        signature = [tf.TensorSpec((None, *x.shape[1:]), tf.float32, name="input")]
        run = tf.function(lambda input: model(input, training=False), input_signature=signature)
        tf2onnx.convert.from_function(run, signature, opset=opset, output_path=path)
    else:
        saved = pathlib.Path(path).parent / "saved"
        if not saved.exists():
            model.export(str(saved), verbose=False)
        command = [sys.executable, "-m", "tf2onnx.convert", "--saved-model", saved, "--output", path, "--opset", str(opset)]
        subprocess.run(command, check=True, capture_output=True)


def graph_model(saved, folder):
    """tensorflowjs imports packages for other kinds of models, which need not be there."""
    import importlib.machinery
    import types

    for name in ("tensorflow_decision_forests", "jax", "jax.experimental", "jax.experimental.jax2tf"):
        if name not in sys.modules:
            sys.modules[name] = types.ModuleType(name)
            sys.modules[name].__spec__ = importlib.machinery.ModuleSpec(name, None)
    sys.modules["jax"].experimental = sys.modules["jax.experimental"]
    sys.modules["jax.experimental"].jax2tf = sys.modules["jax.experimental.jax2tf"]
    for name, kind in (("object", object), ("bool", bool)):
        if name not in np.__dict__:
            setattr(np, name, kind)
    from tensorflowjs.converters import tf_saved_model_conversion_v2

    tf_saved_model_conversion_v2.convert_tf_saved_model(str(saved), str(folder))


def main():
    out, *wanted = sys.argv[1:]
    out = pathlib.Path(out)
    status = {"keras": keras.__version__, "tensorflow": tf.__version__, "tf2onnx": tf2onnx.__version__, "failed": {}}
    for name, make in MODELS.items():
        if wanted and name not in wanted:
            continue
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        exact = built(make, "float64")
        x = data(exact)
        save_file(answers(exact, x), folder / "answers.safetensors")
        model = built(make, "float32")
        model(x)
        model.save(folder / "model.keras")
        for exporter, opset in [("keras", 15), *(("function", o) for o in OPSETS), ("saved", 18)]:
            path = folder / f"{exporter}-{opset}.onnx"
            if path.exists():
                continue
            try:
                export(model, x, str(path), exporter, opset)
            except Exception as error:
                status["failed"][f"{name}/{exporter}-{opset}"] = str(error).strip().split("\n")[0][:200]
        if not (folder / "graph").exists():
            try:
                graph_model(folder / "saved", folder / "graph")
            except Exception as error:
                status["failed"][f"{name}/graph"] = str(error).strip().split("\n")[0][:200]
        print(name, flush=True)
    (out / "status.json").write_text(json.dumps(status, indent=1))


if __name__ == "__main__":
    main()
