"""The API over HTTP, its models and its client."""
