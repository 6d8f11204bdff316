"""Noting what a day was like, and looking back at days."""
