"""Photos: what they cost, taking them in, classifying them now, and their end."""
