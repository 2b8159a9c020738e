"""The tables in force as pages and the API show them: every value with where it comes from."""
