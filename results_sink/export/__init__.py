"""Bulk export: snapshots, deltas, and the code that reads them back."""
