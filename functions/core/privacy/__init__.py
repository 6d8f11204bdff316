"""What users may have of us, and have removed: their data."""
