"""Noting what a day was like."""
