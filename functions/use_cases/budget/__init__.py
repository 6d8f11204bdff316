"""What the AI provider may cost."""
