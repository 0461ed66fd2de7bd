"""Pseudonyms of people: the same for the same name as long as the key is, and of no use to whoever has not got the key.

A pseudonym is HMAC-SHA256 of the name as a vendor writes it, without regard to case, with the key MTTR_PSEUDONYM_KEY. Without that
variable the key is in `<data-dir>/pseudonym.key`, made once. Whoever holds the key can tell who somebody is by trying
names, so it is a secret like the others.

What belongs here: key and pseudonym. What does not: which texts name people (`sql/core/people.sql`), e-mail addresses in other texts
(the macro without_addresses).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from mttr_pipeline.config.settings import Settings
from mttr_pipeline.errors import ConfigError

KEY_FILE = "pseudonym.key"
_VARIABLES = ("MTTR_PSEUDONYM_KEY", "MTTR_PSEUDONYM_KEY_FILE")
_LEAST_KEY = 16  # characters
_DIGITS = 8  # of a pseudonym: among 5,000 people two get the same once in 300 companies


def pseudonyms(settings: Settings) -> Callable[[str], str]:
    """What makes a pseudonym of a name; the name itself where `[people] publish_names` is set.

    Raises ConfigError when the key cannot be read or made, or can be guessed.
    """
    if settings.file.people.publish_names:
        return str

    given = settings.pseudonym_key
    text = given.get_secret_value() if given else _key_in(settings.data_dir / KEY_FILE)
    if len(text) < _LEAST_KEY:
        where = _VARIABLES[0] if given else str(settings.data_dir / KEY_FILE)
        raise ConfigError(
            f"{where} is no key: it has fewer than {_LEAST_KEY} characters, which can be guessed; use a longer one."
        )
    key = text.encode()
    return lambda name: f"person-{hmac.new(key, _identity(name), hashlib.sha256).hexdigest()[:_DIGITS]}"


def _identity(name: str) -> bytes:
    return " ".join(name.split()).casefold().encode()


def _key_in(path: Path) -> str:
    """The key in the file, which is made for its owner alone if there is none."""
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".part")
            partial.unlink(missing_ok=True)
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(f"{secrets.token_hex(32)}\n")
                out.flush()
                os.fsync(out.fileno())
            partial.replace(path)  # whole or not there
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        raise ConfigError(
            f"The key of the pseudonyms {path} cannot be read or made ({error.strerror}); give it to the user who runs, or set "
            f"{' or '.join(_VARIABLES)}."
        ) from error
