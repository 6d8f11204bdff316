"""Health of the whole, and alerts of changes."""
