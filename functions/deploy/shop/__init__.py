"""What a deploy decides that sells something."""
