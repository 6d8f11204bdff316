"""Batches at the provider: their manifest and their reports."""
