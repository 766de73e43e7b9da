"""Daft: a column of files is downloaded and decoded by Daft, and classified by a class of ours over its batches.

Command line: the model, the folder of photos, the number of threads.
"""

import sys
from pathlib import Path

import daft
import numpy as np
import onnxruntime
from PIL import Image, ImageOps


@daft.udf(return_dtype=daft.DataType.list(daft.DataType.int64()), batch_size=8)
class TopFive:
    """The model, loaded once, and the five best classes of each picture."""

    def __init__(self, model: str, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(model, options)

    def __call__(self, images: daft.Series) -> list[list[int]]:
        pictures = [Image.fromarray(np.asarray(image)) for image in images.to_pylist()]
        fitted = [ImageOps.fit(picture, (224, 224), Image.Resampling.BILINEAR) for picture in pictures]
        stacked = np.stack([np.asarray(picture, np.float32).transpose(2, 0, 1) for picture in fitted])
        (logits,) = self.session.run(["logits"], {"pixels": stacked})
        return np.argsort(-logits, axis=1)[:, :5].tolist()


model, folder, threads = sys.argv[1:]
top_five = TopFive.with_init_args(model, int(threads))
image = daft.col("path").download().decode_image(mode="RGB")
for row in daft.from_glob_path(f"{folder}/*").select("path").with_column("top", top_five(image)).iter_rows():
    print(Path(row["path"]).name, *row["top"])
