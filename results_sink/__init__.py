"""Verbs, the way out: export the records, search them, show them."""
