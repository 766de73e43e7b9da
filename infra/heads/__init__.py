"""Builds the head that ships: its words, its training, its projection."""
