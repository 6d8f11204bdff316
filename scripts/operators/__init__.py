"""The commands of `scripts/admin.py`, a file a subject."""
