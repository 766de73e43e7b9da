"""From class scores to keywords."""
