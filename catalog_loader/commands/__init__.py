"""What the loader's commands do, and what they print."""
