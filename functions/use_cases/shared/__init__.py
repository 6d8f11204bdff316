"""Steps of every subject."""
