"""Exit codes of the commands."""

from __future__ import annotations

DONE = 0
ATTENTION = 1  # done, and something wants attention
