"""What holds for all tests."""

from hypothesis import settings

# A deadline would fail where the machine is busy.
settings.register_profile("here", deadline=None)
settings.load_profile("here")
