"""Verbs that measure: how often keywords are right on photos whose keywords a person knows."""
