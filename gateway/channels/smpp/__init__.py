"""The SMPP driver of the Channel contract."""
