"""What a day was like: counts in the course of it."""
