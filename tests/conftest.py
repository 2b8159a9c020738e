"""What all tests share."""

from hypothesis import settings

# The machine may be busy: a slow example is no failure.
settings.register_profile("default", deadline=None)
settings.load_profile("default")
