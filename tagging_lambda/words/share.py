"""A share of photos, with its confidence bounds."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

Z = 1.96  # standard deviations: a 95 % interval


@dataclass(frozen=True, slots=True)
class Share:
    """A count out of a total."""

    count: int
    of: int

    @property
    def value(self) -> float:
        """The share in [0, 1]; 0 if the total is 0."""
        return self.count / self.of if self.of else 0.0

    def document(self) -> dict[str, int | float]:
        """Return the share and its bounds as JSON."""
        low, high = self.bounds
        shares = {"share": self.value, "low": low, "high": high}
        return {"count": self.count, "of": self.of, **{name: round(share, 4) for name, share in shares.items()}}

    @property
    def bounds(self) -> tuple[float, float]:
        """Wilson's 95 % interval for the true share."""
        if not self.of:
            return 0.0, 1.0
        spread = Z * sqrt(self.value * (1 - self.value) / self.of + Z * Z / (4 * self.of * self.of))
        middle, scale = self.value + Z * Z / (2 * self.of), 1 + Z * Z / self.of
        return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
