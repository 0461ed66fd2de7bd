"""The vocabulary: what the words of vendors mean here, as rows of `config.words`.

One rule compares words (`names.normalize`), one table holds them. Where two lines map the same word, the first of these applies:
`[sources.<name>]`, `[vocabulary]`, the defaults of the source's declaration, the defaults of the house. A status that ends in
`*` stands for every status that begins so. Which of several lines that fit a status applies is the SQL macro `line_rank`'s
matter: a line for one project goes before one for all, a whole word before the beginning of one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mttr_pipeline.config.names import normalize
from mttr_pipeline.config.options import DeployOptions, SourceOptions
from mttr_pipeline.config.settings import Account, Settings

#: Words that any source may use.
HOUSE: dict[str, dict[str, str]] = {
    "severity": {
        **{f"SEV{level}": f"SEV{level}" for level in range(1, 5)},
        "P1": "SEV1",
        "P2": "SEV2",
        "P3": "SEV3",
        "P4": "SEV4",
        "P5": "SEV4",
    },
    "status": {
        **dict.fromkeys(("Open", "New", "To Do", "Reported", "Detected", "Triggered", "Firing"), "detected"),
        **dict.fromkeys(("Acknowledged", "Acked", "Assigned", "Triaged"), "acknowledged"),
        **dict.fromkeys(("In Progress", "Work in progress", "Investigating"), "investigating"),
        **dict.fromkeys(("Identified", "Root cause found"), "root_cause_found"),
        **dict.fromkeys(("Mitigated", "Monitoring", "Workaround", "Fix deployed"), "mitigated"),
        **dict.fromkeys(("Resolved", "Done", "Completed", "Fixed"), "resolved"),
        "Closed": "closed",
        "Reopened": "reopened",
        **dict.fromkeys(("Pending", "On hold", "Snoozed", "Waiting for *"), "paused"),
    },
    "detection": {
        **dict.fromkeys(("monitor", "monitoring", "alert", "alerting", "automated", "machine", "synthetic"), "monitor"),
        **dict.fromkeys(("customer", "customers", "client", "user report", "support", "customer support"), "customer"),
        **dict.fromkeys(("employee", "employees", "internal", "staff", "engineer", "person"), "employee"),
        **dict.fromkeys(("release", "deploy", "deployment", "rollout", "canary"), "release"),
        "unknown": "unknown",
    },
    "environment": {
        **dict.fromkeys(("prod", "production", "live"), "production"),
        **dict.fromkeys(
            ("staging", "stage", "test", "testing", "qa", "development", "dev", "preview", "sandbox"), "other"
        ),
    },
}


def production_environments(options: DeployOptions) -> frozenset[str]:
    """The names of environments that are production for an account, as names are compared: for a pull, which reads more of these."""
    words = [*HOUSE["environment"].items(), *options.environment.items()]
    meanings = {normalize(word): meaning for word, meaning in words}
    return frozenset(word for word, meaning in meanings.items() if meaning == "production")


@dataclass(frozen=True)
class Word:
    """One line of the vocabulary. `scope` is the project it holds for, empty for all; `written` is the word as a person wrote it, in
    lower case; `setting` is the line of `mttr.toml` that says it, None for a default."""

    source: str
    kind: str
    scope: str
    word: str
    is_prefix: bool
    written: str
    meaning: str
    setting: str | None


def vocabulary(settings: Settings) -> list[Word]:
    """Every word of every account, once per scope."""
    return [word for account in settings.accounts for word in _words(account, settings).values()]


def _words(account: Account, settings: Settings) -> dict[tuple[str, str, str, bool], Word]:
    found: dict[tuple[str, str, str, bool], Word] = {}
    for kind, scope, written, meaning, setting in _lines(account, settings):
        compared = normalize(written)
        is_prefix = kind == "status" and compared.endswith("*")
        compared = compared.removesuffix("*") if is_prefix else compared
        word = Word(
            account.name, kind, normalize(scope), compared, is_prefix, written.strip().lower(), meaning, setting
        )
        found[kind, word.scope, word.word, is_prefix] = word  # a later line wins
    return found


def _lines(account: Account, settings: Settings) -> Iterator[tuple[str, str, str, str, str | None]]:
    """Kind, scope, word, meaning and setting, the strongest lines last."""
    for defaults in (HOUSE, account.source.words):
        for kind, words in defaults.items():
            for word, meaning in words.items():
                yield kind, "", word, meaning, None
    tables = account.options.word_tables()
    for kind, table in tables.items():
        for word, meaning in settings.file.vocabulary.of_kind(kind).items():
            yield kind, "", word, meaning, f"vocabulary.{table}: {word}"
    own: SourceOptions = getattr(settings.file.sources, account.name)
    for kind, scope, word, meaning in own.configured_words():
        where = f"sources.{account.name}.{f'projects.{scope}.' if scope else ''}{tables.get(kind, kind)}"
        yield kind, scope, word, meaning, f"{where}: {word}"
