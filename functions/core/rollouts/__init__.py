"""Flags, and what their two paths come to side by side."""
