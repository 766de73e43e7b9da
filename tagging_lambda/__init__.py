"""Verbs, pixels to keywords: read a picture, classify it, name what a shopper would type, record it."""

import os

# onnxruntime reads this once, when it loads. Without it, it reports every session to its vendor and keeps an id of the
# machine in the user's cache.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
