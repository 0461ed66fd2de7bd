"""What `mttr.toml` may not say. It is refused when it is read, by a sentence that names the key and what would be right:
hours later a join or a cast would stop the night without naming either, or a figure would be wrong in silence.

How the command line ends is in test_bad_input.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from mttr_pipeline.errors import ConfigError
from mttr_pipeline.settings import load_settings


def refused(folder: Path, content: str) -> str:
    """What is said about this `mttr.toml`."""
    path = folder / "mttr.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_settings({}, config=path)
    return str(error.value).removeprefix(f"{path}: ")


# -- keys --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[targets.severities]\nSEV9 = 5\n", "'targets.severities.SEV9': must be 'SEV1', 'SEV2', 'SEV3' or 'SEV4'"),
        ('[services."Check out"]\nteam = 5\n', """'services."Check out".team': must be a valid string (found 5)."""),
        ("[services]\nCheckout = true\n", "'services.Checkout': must be a table (found true)."),
        (
            '[services.Checkout]\naliases = "web"\n',
            """'services.Checkout.aliases': must be a list, like ["one", "two"]""",
        ),
        (
            "[thresholds.phases]\ndetection = { warning = 5, critical = 3 }\n",
            "'thresholds.phases.detection': critical (3) is below warning (5).",
        ),
        ("[variants.x]\nstart = 1979-05-27\nend = 07:32:00\n", "(found 1979-05-27). (1 more)"),
    ],
)
def test_a_key_is_told_as_it_is_written(tmp_path: Path, content: str, said: str) -> None:
    """Who reads the sentence looks for the key in the file: no word of the library's, no value in Python's spelling."""
    assert said in refused(tmp_path, content)


def test_half_a_pair_says_that_both_are_needed(tmp_path: Path) -> None:
    """A threshold has no default for the other level: which one would it be held against?"""
    text = refused(tmp_path, "[thresholds.phases]\ndetection = { warning = 3 }\n")
    assert text == "'thresholds.phases.detection.critical' is missing; warning and critical are both needed there."
    text = refused(tmp_path, '[variants.hands_on]\nend = "closed_at"\n')
    assert text == "'variants.hands_on.start' is missing; start and end are both needed there."


def test_a_misspelt_key_is_told_before_the_one_that_is_missing(tmp_path: Path) -> None:
    """`warn` leaves `warning` missing too; and what is known is told in tables of tables as well."""
    text = refused(tmp_path, "[thresholds.severities.SEV1]\ndetection = { warn = 3, critical = 9 }\n")
    assert text == "unknown key 'thresholds.severities.SEV1.detection.warn'; known there: critical, warning. (1 more)"


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["basic", "custom", "Hands-On", '""'])
def test_a_variant_has_a_name_of_its_own(tmp_path: Path, name: str) -> None:
    """`custom` is what `mttr stats --type` and the macros call two stamps of one's own: a variant would take its place."""
    text = refused(tmp_path, f'[variants.{name}]\nstart = "detected_at"\nend = "closed_at"\n')
    assert "'variants'" in text and text.endswith("none of basic, service_restore, full_recovery, custom.")
