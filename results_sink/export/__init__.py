"""The way out in bulk: snapshots, deltas, and what reads them back."""
