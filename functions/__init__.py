"""Ecolane's Cloud Functions; ARCHITECTURE.md has the plan of this house."""
