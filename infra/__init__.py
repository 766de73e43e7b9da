"""Places: the template, the model's build, the local run, and the one command that mounts every stage's commands."""
