"""A tiny published network and shop, and an npm that serves them from a folder."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from infra.model.npm import Npm, PublishedPackage, integrity_of
from infra.model.published import RESNET50, SAMPLE_SHOP, PublishedModel, PublishedShop
from tagging_lambda.model_card import ModelClass

if TYPE_CHECKING:
    from pathlib import Path

SIDE, CHANNELS, CLASSES = 16, 3, 4
EPSILON = 0.001
PRODUCTS = """\
name    ,slug   ,assets         ,price
Red cup ,red-cup,red.jpg        ,9.00
        ,       ,               ,10.00
Two cups,cups   ,green.jpg|b.jpg,18.00
"""

# Does what `npm pack NAME --pack-destination FOLDER` does, from the folder beside it; what is asked is written down.
FAKE_NPM = """#!{python}
import json, pathlib, shutil, sys
shelf = pathlib.Path(__file__).parent / "shelf"
package, folder = sys.argv[2], pathlib.Path(sys.argv[sys.argv.index("--pack-destination") + 1])
with (shelf / "asked.txt").open("a") as asked:
    print(package, file=asked)
file = shelf / (package.replace("/", "-") + ".tgz")
failure = shelf / "failure.json"
if (shelf / "half").exists():
    (folder / file.name).write_bytes(file.read_bytes()[: file.stat().st_size // 2])
elif file.exists() and not failure.exists():
    shutil.copy(file, folder / file.name)
if failure.exists():
    print(failure.read_text())
    sys.exit(1)
"""


@dataclass
class Registry:
    """A folder with an `npm` in it, and the packages which that one can fetch."""

    folder: Path

    @property
    def npm(self) -> Npm:
        """The npm that knows this registry alone."""
        return Npm(str(self.folder), wheel="no_such_module")

    @property
    def asked(self) -> list[str]:
        """What was fetched, in order."""
        path = self.folder / "shelf" / "asked.txt"
        return path.read_text().splitlines() if path.exists() else []

    def publish(self, name: str, version: str, files: dict[str, bytes]) -> PublishedPackage:
        """Put a package on the shelf and return its pinned self."""
        path = self.folder / "shelf" / f"{name.replace('/', '-')}@{version}.tgz"
        path.write_bytes(_tarball(files))
        return PublishedPackage(name, version, integrity_of(path), path.stat().st_size)

    def fail(self, code: str, summary: str) -> None:
        """Let every further call end with 1 and this answer, in the form of npm's own."""
        answer = {"error": {"code": code, "summary": summary, "detail": ""}}
        (self.folder / "shelf" / "failure.json").write_text(json.dumps(answer))

    def break_off(self) -> None:
        """Let every further download end half way."""
        (self.folder / "shelf" / "half").touch()

    def vanish(self) -> None:
        """Take npm away from the machine."""
        (self.folder / "npm").unlink()


@dataclass
class Network:
    """The tiny network's weights, and what Keras would answer, computed here step by step."""

    weights: dict[str, np.ndarray]
    layers: list[dict[str, object]]
    mean_rgb: tuple[float, float, float] = (120.0, 110.0, 100.0)

    def files(self) -> dict[str, bytes]:
        """Return the network as a layers-model whose weights are cut into two shards in the middle of one."""
        data = b"".join(weight.astype("<f4").tobytes() for weight in self.weights.values())
        cut = len(data) // 2 + 1
        document = {
            "format": "layers-model",
            "modelTopology": {"model_config": {"config": {"layers": self.layers}}},
            "weightsManifest": [
                {
                    "paths": ["one.bin", "two.bin"],
                    "weights": [
                        {"name": name, "shape": list(weight.shape), "dtype": "float32"}
                        for name, weight in self.weights.items()
                    ],
                }
            ],
        }
        return {
            "net/model.json": json.dumps(document).encode(),
            "net/one.bin": data[:cut],
            "net/two.bin": data[cut:],
            "LICENSE": b"free",
        }

    def answer(self, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the logits and features for float32 [N, 3, H, W] in RGB, as the trained network computes them."""
        own = self.weights
        bgr = rgb.transpose(0, 2, 3, 1)[..., ::-1].astype(np.float64)
        x = _zeros(bgr - np.array(self.mean_rgb[::-1]), 2)
        x = _conv(x, own["first/kernel"], stride=2) + own["first/bias"]
        x = _norm(x, own, "first_norm")
        x = _pool(_zeros(np.maximum(x, 0), 1))
        y = _norm(_conv(_zeros(x, 1), own["second/kernel"]) + own["second/bias"], own, "second_norm")
        x = np.maximum(x + y, 0)
        rows, columns = x.shape[1] // 3, x.shape[2] // 3
        regions = []
        for band in (x[:, :rows], x[:, rows:-rows], x[:, -rows:]):
            sides = np.concatenate([band[:, :, :columns], band[:, :, -columns:]], axis=2)
            regions += [band[:, :, columns:-columns].mean(axis=(1, 2)), sides.mean(axis=(1, 2))]
        features = np.stack(regions, axis=-1).reshape(len(x), -1)
        return x.mean(axis=(1, 2)) @ own["last/kernel"] + own["last/bias"], features


def _zeros(x: np.ndarray, width: int) -> np.ndarray:
    return np.pad(x, ((0, 0), (width, width), (width, width), (0, 0)))


def _windows(x: np.ndarray, size: int, stride: int) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))
    return windows[:, ::stride, ::stride]  # N, H, W, C, kh, kw


def _conv(x: np.ndarray, kernel: np.ndarray, stride: int = 1) -> np.ndarray:
    return np.einsum("nhwcij,ijco->nhwo", _windows(x, kernel.shape[0], stride), kernel)


def _pool(x: np.ndarray) -> np.ndarray:
    return _windows(x, 3, 2).max(axis=(4, 5))


def _norm(x: np.ndarray, own: dict[str, np.ndarray], name: str) -> np.ndarray:
    scaled = (x - own[f"{name}/moving_mean"]) / np.sqrt(own[f"{name}/moving_variance"] + EPSILON)
    return scaled * own[f"{name}/gamma"] + own[f"{name}/beta"]


def _layer(name: str, kind: str, *sources: str, **config: object) -> dict[str, object]:
    inbound = [[[source, 0, 0, {}] for source in sources]] if sources else []
    return {"name": name, "class_name": kind, "config": config, "inbound_nodes": inbound}


def _conv_layer(name: str, source: str, size: int, stride: int, padding: str) -> dict[str, object]:
    return _layer(
        name, "Conv2D", source, kernel_size=[size, size], strides=[stride, stride], padding=padding,
        dilation_rate=[1, 1], activation="linear", use_bias=True,
    )  # fmt: skip


def _norm_layer(name: str, source: str) -> dict[str, object]:
    return _layer(name, "BatchNormalization", source, epsilon=EPSILON, scale=True, center=True)


def _tarball(files: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return written.getvalue()


def _photo(red: int, green: int, blue: int) -> bytes:
    written = io.BytesIO()
    noise = np.random.default_rng(red).integers(-40, 40, (40, 48, 3))
    Image.fromarray(np.clip(noise + np.array([red, green, blue]), 0, 255).astype(np.uint8)).save(written, "JPEG")
    return written.getvalue()


@pytest.fixture
def network() -> Network:
    """A network with every kind of layer that the published one has, and random weights."""
    random = np.random.default_rng(7)
    weights = {"last/kernel": random.normal(0, 1, (6, CLASSES)), "last/bias": random.normal(0, 1, CLASSES)}
    for name, size, channels in (("first", 5, CHANNELS), ("second", 3, 6)):
        weights[f"{name}/kernel"] = random.normal(0, 0.1, (size, size, channels, 6))
        weights[f"{name}/bias"] = random.normal(0, 1, 6)
        for of_norm in ("gamma", "beta", "moving_mean"):
            weights[f"{name}_norm/{of_norm}"] = random.normal(0, 1, 6)
        weights[f"{name}_norm/moving_variance"] = random.uniform(0.001, 2, 6)
    weights = {name: weight.astype(np.float32) for name, weight in weights.items()}
    layers = [
        _layer("input", "InputLayer", batch_input_shape=[None, SIDE, SIDE, CHANNELS]),
        _layer("first_pad", "ZeroPadding2D", "input", padding=[[2, 2], [2, 2]]),
        _conv_layer("first", "first_pad", 5, 2, "valid"),
        _norm_layer("first_norm", "first"),
        _layer("first_relu", "Activation", "first_norm", activation="relu"),
        _layer("pool_pad", "ZeroPadding2D", "first_relu", padding=[[1, 1], [1, 1]]),
        _layer("pool", "MaxPooling2D", "pool_pad", pool_size=[3, 3], strides=[2, 2], padding="valid"),
        _conv_layer("second", "pool", 3, 1, "same"),
        _norm_layer("second_norm", "second"),
        _layer("sum", "Add", "second_norm", "pool"),
        _layer("sum_relu", "Activation", "sum", activation="relu"),
        _layer("average", "GlobalAveragePooling2D", "sum_relu"),
        _layer("last", "Dense", "average", activation="softmax", use_bias=True),
    ]
    return Network(weights, layers)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry with nothing in it yet."""
    folder = tmp_path / "bin"
    (folder / "shelf").mkdir(parents=True)
    npm = folder / "npm"
    npm.write_text(FAKE_NPM.format(python=sys.executable))
    npm.chmod(0o755)
    return Registry(folder)


@pytest.fixture
def tiny_model(registry: Registry, network: Network) -> PublishedModel:
    """The tiny network, published."""
    package = registry.publish("tiny-net", "1.0.0", network.files())
    taken = replace(RESNET50.input, width_pixels=SIDE, height_pixels=SIDE, shorter_side_pixels=20)
    return replace(
        RESNET50, name="tiny", package=package, layers="net/model.json", mean_rgb=network.mean_rgb, input=taken
    )


@pytest.fixture
def tiny_shop(registry: Registry) -> PublishedShop:
    """A shop of two products and three photos, published."""
    files = {
        "assets/products.csv": PRODUCTS.encode(),
        "assets/images/red.jpg": _photo(200, 40, 40),
        "assets/images/green.jpg": _photo(40, 200, 40),
        "assets/images/b.jpg": _photo(40, 40, 200),
        "index.js": b"not for us",
    }
    return replace(SAMPLE_SHOP, package=registry.publish("@tiny/shop", "2.0.0", files))


@pytest.fixture
def classes() -> tuple[ModelClass, ...]:
    """The tiny network's classes."""
    return tuple(ModelClass(index, f"n{index:08}", f"class {index}") for index in range(CLASSES))


@pytest.fixture
def tiny(tiny_model: PublishedModel, tiny_shop: PublishedShop, classes: tuple[ModelClass, ...]) -> dict[str, object]:
    """What a builder of the tiny network is told beside its places."""
    return {"source": tiny_model, "shop": tiny_shop, "classes": classes}
