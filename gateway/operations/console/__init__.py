"""The web console: pages, streams and an API over HTTP for operators, provinces, agents and machines."""
