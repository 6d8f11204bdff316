"""Teams: who is in one, who may change that, and how somebody comes in."""
