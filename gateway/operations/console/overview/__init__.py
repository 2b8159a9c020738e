"""What the overview shows: a snapshot of the gateway in the words of a visitor, as far as he may see it."""
