"""The four ways this program fails, and the exit code of each.

A message is for the person at the terminal: what happened, where, and what to do. It never holds a credential, nor anything that
steers a terminal: whatever a sentence quotes, it is hidden here.
"""

from __future__ import annotations

import traceback

from mttr_pipeline.hidden import one_line, redact, without_addresses


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


_DEEPEST = 20  # exceptions that were raised for each other


def cleaned(error: BaseException, depth: int = _DEEPEST) -> BaseException:
    """The same failure for records and terminals: kind and stack as they were, without secrets and addresses in its text, its notes,
    and those of the exceptions that led to it. The given one stays as it is.

    The kind is a class made of the old one, of the same name, so that whoever catches the old one catches it too. For one that cannot
    be made (of a class with a constructor of its own, for example) it is an exception of the same name only.
    """
    text = "\n".join(
        without_addresses(redact(one_line(line))) for line in redact("".join(_said(error))).split("\n")
    )
    kind = type(error)
    named = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__str__": lambda self: text}
    try:
        new: BaseException = type(kind.__name__, (kind,), named).__new__(type(kind.__name__, (kind,), named))
        if "".join(_said(new)) != text:
            raise TypeError(kind)
    except Exception:
        new = type(kind.__name__, (Exception,), named)()
    new.__traceback__ = error.__traceback__
    if depth:
        new.__cause__ = error.__cause__ and cleaned(error.__cause__, depth - 1)
        new.__context__ = error.__context__ and cleaned(error.__context__, depth - 1)
        new.__suppress_context__ = error.__suppress_context__
    return new
