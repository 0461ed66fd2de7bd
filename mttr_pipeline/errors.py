"""The four ways this program fails, and the exit code of each.

A message is for the person at the terminal: what happened, where, and what to do. It never holds a credential, nor anything that
steers a terminal: whatever a sentence quotes, it is hidden here.
"""

from mttr_pipeline.hidden import one_line, redact


class MttrError(Exception):
    """The base of every failure that the user sees as a sentence instead of a traceback."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(redact(one_line(message)))


class ConfigError(MttrError):
    """The arguments, the environment or the configuration file are wrong. Nothing was started."""

    exit_code = 2


class TransientError(MttrError):
    """A vendor or the network failed in a way that may pass, and all retries failed too."""


class PermanentError(MttrError):
    """A vendor refused in a way that a retry does not change: credentials, permissions, a bad request."""


class ContractError(MttrError):
    """The pipeline's own data is wrong: a corrupt landing file, records that do not add up, a failed blocking check."""


def first_line(error: BaseException) -> str:
    """What an error says, without the excerpt or the stack that may follow; its type where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
