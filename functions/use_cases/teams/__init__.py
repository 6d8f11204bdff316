"""What members do with their team: found it, let others in, change who may what, and give it tokens."""
