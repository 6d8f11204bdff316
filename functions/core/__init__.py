"""The rules: no I/O, no clock, no environment, no randomness. Only the standard library and pydantic."""
