"""Answers that are kept, and how far they are believed."""
