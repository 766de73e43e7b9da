"""Ray Data: read binary files, decode them in a map, and classify batches of eight in an actor.

Command line: the model, the folder of photos, the number of threads.
"""

import io
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import ray
from PIL import Image, ImageOps


class Classifier:
    """The model, loaded once by each actor."""

    def __init__(self, model: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model, options)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        (logits,) = self.session.run(["logits"], {"pixels": np.stack(list(batch["pixels"]))})
        return {"path": batch["path"], "top": np.argsort(-logits, axis=1)[:, :5]}


def decoded(row: dict[str, object]) -> dict[str, object]:
    picture = ImageOps.fit(Image.open(io.BytesIO(row["bytes"])).convert("RGB"), (224, 224), Image.Resampling.BILINEAR)
    return {"path": row["path"], "pixels": np.asarray(picture, np.float32).transpose(2, 0, 1)}


model, folder, threads = sys.argv[1:]
ray.init(num_cpus=int(threads) + 1, include_dashboard=False, logging_level="ERROR", configure_logging=True)
ray.data.DataContext.get_current().enable_progress_bars = False
photos = ray.data.read_binary_files(folder, include_paths=True).map(decoded)
answers = photos.map_batches(
    Classifier,
    fn_constructor_args=[str(Path(model).resolve())],
    batch_size=8,
    compute=ray.data.ActorPoolStrategy(size=1),
)
for row in answers.iter_rows():
    print(Path(row["path"]).name, *row["top"])
