"""The four ways this program fails, and the exit code of each.

A message is for the person at the terminal: what happened, where, and what to do. It never holds a credential, nor anything that
steers a terminal: whatever a sentence quotes, it is hidden here.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

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


# Of a file that is open already, an OSError has no name.
_OF_THE_DISK = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.EROFS,
    errno.EMFILE,
    errno.ENFILE,
    errno.ESTALE,
)
#: What DuckDB says where the disk does not take what it writes.
_NOT_WRITTEN = ("Could not write file", "No space left on device", "Disk quota exceeded")


def is_of_the_disk(error: BaseException | str) -> bool:
    """Whether a failure is one of a disk or its permissions, which are the user's to mend; or what DuckDB says of one.

    Not an error of a query, nor an OSError that the operating system did not raise for a file.
    """
    if isinstance(error, OSError):
        return error.filename is not None or error.errno in _OF_THE_DISK
    return any(sign in str(error) for sign in _NOT_WRITTEN)


def of_another_user(path: Path) -> ConfigError:
    """The failure that a file or folder of the data directory is not for the user who runs."""
    while not _is_seen(path) and path != path.parent:  # in a folder that may not be entered
        path = path.parent
    try:
        owner = path.owner()
    except (KeyError, OSError):  # a number without a name
        owner = str(path.lstat().st_uid)
    return ConfigError(
        f"{path} belongs to the user {owner} and cannot be read or written; run as that user, or give everything in {path.parent} "
        "to this one (chown -R)."
    )


def _is_seen(path: Path) -> bool:
    try:
        path.lstat()
    except OSError:
        return False
    return True


def not_permitted(error: PermissionError) -> MttrError:
    """What the operating system refused, as a sentence that names the file."""
    if not error.filename:
        return ContractError(f"The operating system does not permit what this needs ({error}); run as another user.")
    return of_another_user(Path(os.fsdecode(error.filename)))


_DEEPEST = 20  # exceptions that were raised for each other


def cleaned(error: BaseException, depth: int = _DEEPEST) -> BaseException:
    """The same failure for records and terminals: kind and stack as they were, without secrets and addresses in its text, its notes,
    and those of the exceptions that led to it. The given one stays as it is.

    The kind is a class made of the old one, of the same name, so that whoever catches the old one catches it too. Where that is not
    possible (a class may refuse to be made without arguments), it is an exception of the same name.
    """
    text, kind = _hidden(str(error)), type(error)
    named = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__str__": lambda self: text}
    try:
        # A SyntaxError prints the line that it is about.
        made: Any = type(kind.__name__, (Exception if isinstance(error, SyntaxError) else kind,), named)
        new: BaseException = made.__new__(made)  # not its constructor, which may want arguments
    except Exception:
        new = type(kind.__name__, (Exception,), named)()
    for note in getattr(error, "__notes__", ()):
        new.add_note(_hidden(str(note)))
    if depth:
        new.__cause__ = error.__cause__ and cleaned(error.__cause__, depth - 1)
        new.__context__ = error.__context__ and cleaned(error.__context__, depth - 1)
        new.__suppress_context__ = error.__suppress_context__
    return new.with_traceback(error.__traceback__)


def _hidden(text: str) -> str:
    """A text of several lines without secrets, addresses of people and what steers a terminal. A secret may be split over lines."""
    return without_addresses("\n".join(map(one_line, redact(text).split("\n"))))
