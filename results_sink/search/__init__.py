"""Queries over an export."""
