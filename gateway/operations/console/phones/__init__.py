"""What the section phones shows."""
