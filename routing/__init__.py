"""Numbers: access codes, sub-codes, provinces, segments. Pure; imports nothing of the other packages."""
