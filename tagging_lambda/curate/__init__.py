"""Verbs on records at rest: people decide, a new taxonomy is applied, a run is taken back. Needs no model."""
