"""Why a run failed, in sentences instead of stack traces, from the events that Dagster keeps of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from mttr_pipeline.defs.publish import PUBLISHED
from mttr_pipeline.defs.tables import MAKING
from mttr_pipeline.errors import ConfigError, ContractError, PermanentError, TransientError, is_of_the_disk


def what_came(events: Sequence[dg.DagsterEvent]) -> str:
    """Whether the run published before it failed, as the end of a sentence."""
    published = any(event.is_step_materialization and event.asset_key == PUBLISHED for event in events)
    return "the results are published" if published else "nothing was published"


def checks_that_failed(events: Sequence[dg.DagsterEvent], end: str) -> Iterator[tuple[dg.AssetCheckEvaluation, str]]:
    """The checks that blocked what comes after them, each with its sentence. Not those that warn."""
    for event in events:
        found = event.event_specific_data if event.event_type_value == "ASSET_CHECK_EVALUATION" else None
        if (
            isinstance(found, dg.AssetCheckEvaluation)
            and not found.passed
            and found.blocking
            and found.severity == dg.AssetCheckSeverity.ERROR
        ):
            name = ".".join(found.asset_key.path)
            yield found, f"The check {found.check_name} of {name} failed ({found.description}); {end}."


def reasons(events: Sequence[dg.DagsterEvent], end: str, debug: bool = False) -> tuple[list[str], int]:
    """One sentence per failure of the run with these events, and the exit code: 2 when it was the configuration, else 1.

    `end` says what came of the run, see `what_came`.
    """
    sentences: list[str] = []
    code = 1
    for event in events:
        sentences += [sentence for _, sentence in checks_that_failed([event], end)]
        failure = event.step_failure_data if event.is_step_failure else None
        if failure is not None and failure.user_failure_data is not None:
            sentences.append(failure.user_failure_data.description or "")
            kind = failure.user_failure_data.metadata.get("error")
            code = 2 if kind is not None and kind.value == "ConfigError" else code
        elif (
            failure is not None
            and failure.error is not None
            and "DagsterAssetCheckFailedError" not in str(failure.error.cls_name)
        ):
            cause = failure.error.cause or failure.error
            text = cause.to_string() if debug else cause.message.strip().splitlines()[0]
            remedy = "Free the disk and run again." if is_of_the_disk(text) else "Run again with --debug to see where."
            tables = [line.removeprefix(MAKING) for line in cause.message.splitlines() if line.startswith(MAKING)]
            sentences.append(f"{tables[0] if tables else event.step_key} failed: {text}; {end}. {remedy}")
    for event in events:
        if not sentences and event.is_failure and event.message:
            # before the first step: the resource could not be made
            sentence, code = _our_own(event.event_specific_data) or (event.message.splitlines()[0], code)
            sentences.append(sentence)
    return sentences, code


def _our_own(data: Any) -> tuple[str, int] | None:
    """The sentence and exit code of the error of ours that stands in a chain of causes."""
    kinds = {kind.__name__: kind for kind in (ConfigError, ContractError, PermanentError, TransientError)}
    error = getattr(data, "error", None)
    while error is not None:
        if kind := kinds.get(error.cls_name or ""):
            return error.message.strip().removeprefix(f"{kind.__module__}.{kind.__name__}: "), kind.exit_code
        error = error.cause
    return None
