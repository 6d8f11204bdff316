"""A benchmark that cannot run here."""


class SkippedError(Exception):
    """Something that the benchmark takes is not on this machine. One line says what, and how to get it."""
