"""onnxruntime in a plain loop over batches of eight, as its own documentation would have one write it.

Command line: the model, the folder of photos, the number of threads.
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

BATCH = 8


def pixels(path: Path) -> np.ndarray:
    picture = ImageOps.fit(Image.open(path).convert("RGB"), (224, 224), Image.Resampling.BILINEAR)
    return np.asarray(picture, np.float32).transpose(2, 0, 1)


model, folder, threads = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(threads)
session = onnxruntime.InferenceSession(model, options)
paths = sorted(Path(folder).iterdir())
for start in range(0, len(paths), BATCH):
    batch = paths[start : start + BATCH]
    (logits,) = session.run(["logits"], {"pixels": np.stack([pixels(path) for path in batch])})
    for path, top in zip(batch, np.argsort(-logits, axis=1)[:, :5], strict=True):
        print(path.name, *top)
