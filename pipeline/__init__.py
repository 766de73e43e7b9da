"""Nouns: what flows through the system and where it rests. Imports no stage."""
