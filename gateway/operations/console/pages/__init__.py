"""The sections of the console, one file each."""
