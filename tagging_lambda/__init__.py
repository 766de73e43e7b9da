"""Verbs, pixels to keywords: read a picture, classify it, name what a shopper would type, record it."""
