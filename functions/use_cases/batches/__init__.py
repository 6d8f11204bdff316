"""The batch lane: queued photos to the provider, and their results back."""
