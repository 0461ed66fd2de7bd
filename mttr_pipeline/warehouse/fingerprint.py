"""Hashes that say whether two states are comparable: of the definitions behind the figures, and of what shapes the raw tables."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mttr_pipeline.config.definitions import definitions_in_force
from mttr_pipeline.config.settings import Settings
from mttr_pipeline.config.vocabulary import vocabulary
from mttr_pipeline.warehouse.models import load_macros

if TYPE_CHECKING:
    from mttr_pipeline.warehouse.catalog import Catalog


def definition_hash(catalog: Catalog, settings: Settings) -> str:
    """A short hash of the SQL, the statistics in Python, the vocabulary and the settings: equal hashes mean comparable numbers."""
    statistics = sorted((Path(__file__).parents[1] / "metrics").glob("*.py"))
    parts = [*(model.sql for model in catalog), catalog.macros, load_macros("analyst")]
    parts += [path.read_text(encoding="utf-8") for path in statistics]
    words = [(word.source, word.kind, word.scope, word.word, word.meaning) for word in vocabulary(settings)]
    return _digest([parts, words, definitions_in_force(settings.file)])[:16]


def raw_fingerprint(catalog: Catalog, settings: Settings) -> str:
    """What the raw tables depend on: their SQL, the time zones, and the severities that custom records may have."""
    severities = sorted(
        word.word for word in vocabulary(settings) if (word.source, word.kind) == ("custom", "severity")
    )
    zones = {account.name: account.options.time_zone for account in settings.accounts}
    return _digest([[model.sql for model in catalog.of_layer("raw")], catalog.macros, zones, severities])


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
