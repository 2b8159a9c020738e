"""Access codes, sub-codes, provinces, number segments. Pure; imports nothing of the other packages."""
