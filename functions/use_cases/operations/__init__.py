"""What operators see and change, and what watches over the rest."""
