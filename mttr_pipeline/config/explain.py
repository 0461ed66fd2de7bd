"""What is wrong in `mttr.toml`, in a sentence: the key as it is written there, and what would be right."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date, time
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

#: Types of pydantic's whose own words are about Python.
_WORDS = {
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "tuple_type": 'must be a list, like ["one", "two"]',
}


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """The first finding as a sentence, and how many more there are. `model` is the whole of the file."""
    # A misspelt key is also a missing one: the misspelling is what helps.
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{_sentence(first, model)}.{more}"


def _sentence(finding: Any, model: type[BaseModel]) -> str:
    *table, last = [part for part in finding["loc"] if part != "[key]"] or [None]
    key = ".".join(_written(part) for part in (*table, last))
    if finding["type"] == "extra_forbidden":
        return f"unknown key '{key}'; known there: {', '.join(sorted(_fields_at(table, model)))}"
    if finding["type"] == "missing":
        needed = [name for name, field in _fields_at(table, model).items() if field.is_required()]
        return f"'{key}' is missing; {' and '.join(needed)} are both needed there"
    said = _WORDS.get(finding["type"], finding["msg"].removeprefix("Value error, ").replace("Input should", "must"))
    found = _found(finding["input"])
    return (f"'{key}': " if last is not None else "") + said + (f" (found {found})" if found else "")


def _written(part: object) -> str:
    """A part of a key as TOML wants it: quoted where it is not plain."""
    return str(part) if re.fullmatch(r"[\w-]+", str(part), re.ASCII) else json.dumps(part, ensure_ascii=False)


def _found(value: Any) -> str:
    """A value as it stands in the file; nothing for a table or a list, which would be longer than the sentence."""
    if isinstance(value, dict | list | tuple | BaseModel):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return re.sub(r"//[^/\s]+@", "//[hidden]@", repr(value))  # an address with a password
    return str(value) if isinstance(value, date | time) else repr(value)


def _fields_at(path: Sequence[Any], model: type[BaseModel]) -> dict[str, Any]:
    """The fields of the section at this place; a name that the user chose, such as a service, leads to a value of its table."""
    found: Any = model
    for part in path:
        field = getattr(found, "model_fields", {}).get(part)
        found = field.annotation if field else get_args(found)[-1]
    return dict(getattr(found, "model_fields", {}))
