"""Ecolane's Cloud Functions: one use case per file, pure rules in `core`, translators in `adapters`."""
