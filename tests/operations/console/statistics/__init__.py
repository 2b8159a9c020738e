"""The reports of the section Statistics."""
