"""What Dagster is told of a failure: no secret and no address in any exception, whoever raised it and for whatever reason.

Dagster keeps the text of every exception in its records, shows it in the UI and logs it. Every function that it calls is
`guarded`. What does not belong here: the sentences of foreseen failures (`resources.explained`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, TypeVar

import dagster as dg

from mttr_pipeline.errors import cleaned, not_permitted

F = TypeVar("F", bound=Callable[..., Any])


def guarded(function: F) -> F:
    """The same function or generator function, whose exceptions are `errors.cleaned`: kind and stack stay."""

    # Raised after the `except`: inside it, Python would add the exception as it was.
    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except Exception as error:
            failure = _for_dagster(error)
        raise failure

    @wraps(function)
    def generate(*args: Any, **options: Any) -> Iterator[Any]:
        try:
            yield from function(*args, **options)
            return
        except Exception as error:
            failure = _for_dagster(error)
        raise failure

    return generate if inspect.isgeneratorfunction(function) else call  # type: ignore[return-value]


def _for_dagster(error: Exception) -> BaseException:
    """A Failure stays itself, because its sentence and its metadata are ours, and so does the wish to be tried again, which has no
    text; what led to it is cleaned. What the user who runs may not read or write is a sentence, too."""
    if isinstance(error, PermissionError):
        told = not_permitted(error)
        failure = dg.Failure(str(told), metadata={"error": type(told).__name__}, allow_retries=False)
        failure.__cause__ = error
        error = failure
    if not isinstance(error, dg.Failure | dg.RetryRequested):
        return cleaned(error)
    error.__cause__ = error.__cause__ and cleaned(error.__cause__)
    error.__context__ = error.__context__ and cleaned(error.__context__)
    error.__suppress_context__ = error.__cause__ is not None
    return error
