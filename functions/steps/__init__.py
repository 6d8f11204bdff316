"""Steps of a use case, or of several: they order calls to adapters, so they are no rules of the core."""
