"""Feature vectors: what a model saw in a photo, compact enough for the photo's record."""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import CallerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

SPACE_CHARACTERS = 12  # hexadecimal digits that identify one model's features under one projection
LEVELS = 127  # of int8 on each side of zero; -128 stays unused, so that a vector and its negative are alike
_HEADER = struct.Struct("<6sf")  # the space and the scale, before the levels


@dataclass(frozen=True, slots=True)
class FeatureVector:
    """A projection of the features that a model computed for one photo.

    Attributes:
        space: names the model and the projection, 12 hexadecimal digits. Vectors of two spaces cannot be compared,
            and a head reads the vectors of exactly one.
        data: int8 [D], little endian, as bytes.
        scale: what the levels are multiplied by.
    """

    space: str
    data: bytes
    scale: float

    @classmethod
    def of(cls, space: str, values: NDArray[np.float32]) -> FeatureVector:
        """Return float32 [D] as a vector of 255 levels; the largest value stays exact."""
        import numpy as np  # noqa: PLC0415 - functions that only carry records are packaged without it

        scale = float(np.float32(np.abs(values).max(initial=0.0) / LEVELS))
        levels = np.rint(values / scale) if scale else np.zeros_like(values)
        return cls(space, levels.astype(np.int8).tobytes(), scale)

    def __len__(self) -> int:
        """Return D, the number of dimensions."""
        return len(self.data)

    def to_array(self) -> NDArray[np.float32]:
        """Return float32 [D]: the projected features, scaled to length 1 (0 if all of them are 0)."""
        import numpy as np  # noqa: PLC0415 - as above

        levels = np.frombuffer(self.data, np.int8).astype(np.float32)
        length = float(np.linalg.norm(levels))
        return levels / np.float32(length) if length else levels

    def pack(self) -> bytes:
        """Return the vector as a record stores it: D + 10 bytes."""
        return _HEADER.pack(bytes.fromhex(self.space), self.scale) + self.data

    def pack_text(self) -> str:
        """Return the same as text, in base64."""
        return base64.b64encode(self.pack()).decode()

    @classmethod
    def unpack_text(cls, text: str) -> FeatureVector:
        """Return the vector that ``pack_text`` packed.

        Raises:
            CallerError: the text is nothing that it can return.
        """
        try:
            return cls.unpack(base64.b64decode(text, validate=True))
        except (ValueError, struct.error) as error:
            raise CallerError("vector is not one that POST /v1/classify answered") from error

    @classmethod
    def unpack(cls, packed: bytes) -> FeatureVector:
        """Return the vector that ``pack`` packed."""
        space, scale = _HEADER.unpack_from(packed)
        return cls(space.hex(), packed[_HEADER.size :], scale)


def stack(vectors: Sequence[FeatureVector]) -> NDArray[np.float32]:
    """Return float32 [n, D], a row for each vector as ``FeatureVector.to_array`` gives it.

    Raises:
        CallerError: the vectors are of different spaces.
    """
    import numpy as np  # noqa: PLC0415 - as above

    spaces = {vector.space for vector in vectors}
    if len(spaces) > 1:
        raise CallerError(f"feature vectors of {len(spaces)} models cannot be compared: {', '.join(sorted(spaces))}")
    return np.stack([vector.to_array() for vector in vectors]) if vectors else np.zeros((0, 0), np.float32)
