"""Settings of every test: no example of a property test has a time limit, because machines are of different speed."""

from hypothesis import settings

settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")
