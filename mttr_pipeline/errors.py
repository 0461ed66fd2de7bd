"""The four ways this program fails, each with the exit code it ends in.

A message is one sentence for the person at the terminal: what happened, where, and what to do about it.
It never contains a credential.
"""


class MttrError(Exception):
    """Base of every failure that is explained to the user instead of shown as a traceback."""

    exit_code = 1


class ConfigError(MttrError):
    """Wrong usage, environment or configuration file: nothing was started."""

    exit_code = 2


class TransientError(MttrError):
    """A vendor or the network failed in a way that may pass; raised only after the retries are used up."""


class PermanentError(MttrError):
    """A vendor refused in a way that no retry mends (credentials, permissions, a bad request)."""


class ContractError(MttrError):
    """Our own promise is broken: a corrupt landing file, records that do not add up, a failed blocking check."""
