"""Verbs, the way in: find the images of a catalogue and ask for each to be looked at."""
