"""The API as a whole: its description, its errors, and what its routes read of a request."""
