"""Which of a flag's paths a call takes, and what it says of that path."""
