"""Verbs on stored records: apply people's decisions or a new taxonomy, undo a run. They need no model."""
