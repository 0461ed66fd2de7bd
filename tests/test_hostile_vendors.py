"""Whatever a vendor does, a pull ends: in time, with a bounded number of requests, and with a sentence that says why.

The modes are those of `promises/vendors.py`: real servers on loopback, each of which misbehaves in one way for ever. They run at
the same time, because each of them is mostly waiting.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mttr_pipeline.cli import doctor
from mttr_pipeline.cli.doctor import examine
from mttr_pipeline.config.options import SourceOptions
from mttr_pipeline.config.settings import Account
from mttr_pipeline.errors import TransientError
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.sources.kit.deadline import Deadline, OutOfTime, spoken
from mttr_pipeline.sources.kit.declare import Source
from mttr_pipeline.sources.pulling import build_source, pull

SCRIPT = Path(__file__).parents[1] / "promises" / "vendors.py"


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("promised_vendors", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


vendors: Any = _loaded()
FLOODS = [name for name in vendors.MODES if " MB as " in name or name == "a body without an end"]
QUICK = [name for name in vendors.MODES if name not in FLOODS]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Future[Any]]:
    with ThreadPoolExecutor(len(QUICK)) as pool:
        return {
            name: pool.submit(vendors.run, vendors.MODES[name], tmp_path_factory.mktemp("vendor")) for name in QUICK
        }


@pytest.mark.parametrize("name", QUICK)
def test_a_pull_ends_with_a_sentence(outcomes: dict[str, Future[Any]], name: str) -> None:
    """Every one of these went on for minutes or for ever."""
    mode, got = vendors.MODES[name], outcomes[name].result()
    assert re.search(mode.told, got.sentence), got
    assert got.requests <= mode.most_requests and got.seconds < 10, got  # a machine under load is slow, but not endless


@pytest.mark.parametrize(
    "name", [*FLOODS[1:2], *(pytest.param(n, marks=pytest.mark.slow) for n in [FLOODS[0], *FLOODS[2:]])]
)
def test_a_flood_is_not_read_to_its_end(tmp_path: Path, name: str) -> None:
    """Small responses that decompress to more than the memory of the machine, and one that is large as it is."""
    mode = vendors.MODES[name]
    got = vendors.run(mode, tmp_path)
    assert re.search(mode.told, got.sentence), got


def test_a_run_that_is_out_of_time_goes_on_where_it_ended(tmp_path: Path) -> None:
    """The limit of the run, in the middle of a pull: what was landed stays landed, and is not asked for again."""
    server = vendors.Hostile(lambda connection, target: answers[0](connection, target))
    one_page = vendors.incidents(lambda _offset, _target: {"rows": vendors.numbered(0, 3), "more": False, "total": 3})

    def late(connection: Any, target: str) -> None:
        if target.startswith("/log_entries"):
            vendors.drip(b"HTTP/1.1 200 OK\r\n")(connection, target)
        one_page(connection, target)

    answers = [late]
    env = {"PAGERDUTY_TOKEN": "x", "PAGERDUTY_API_URL": f"http://127.0.0.1:{server.port}"}
    settings = vendors.settings_of({}, vendors.registry().sources, env, data_dir=tmp_path)
    landing = Landing(tmp_path / "landing")
    with pytest.raises(
        OutOfTime, match=r"^PagerDuty: the 0.5 seconds that a run may take were over while it was reading /log"
    ) as out:
        pull(
            build_source("pagerduty", settings),
            settings,
            landing,
            "run-1",
            as_of=vendors.NOW,
            deadline=Deadline.in_hours(0.5 / 3600, "max_hours in [run]", "a run"),
        )
    assert isinstance(out.value, TransientError) and "Raise max_hours in [run]" in str(out.value)
    (failed,) = landing.manifests("pagerduty")
    assert failed.status == "failed" and failed.records == 3 * len([f for f in failed.files if f.records])
    answers[0] = one_page
    server.asked.clear()
    complete = pull(build_source("pagerduty", settings), settings, landing, "run-2", as_of=vendors.NOW)
    assert complete.status == "complete" and complete.extract_id == failed.extract_id
    assert server.asked and all(target.startswith("/log_entries") for target in server.asked)
    with pytest.raises(OutOfTime, match="while it was about to begin"):  # the source after it
        pull(
            build_source("pagerduty", settings),
            settings,
            landing,
            "run-3",
            as_of=vendors.NOW,
            deadline=Deadline.in_hours(0, "max_hours in [run]", "a run"),
        )
    server.close()


def test_the_doctor_asks_once_and_says_each_finding_at_once(tmp_path: Path) -> None:
    """A person waits for it: no retries, whatever a run allows, and no silence until the last source has answered."""
    server = vendors.Hostile(lambda connection, _: vendors.send(connection, {}, "503 Busy", Retry_After=1))
    env = {"PAGERDUTY_TOKEN": "x", "PAGERDUTY_API_URL": f"http://127.0.0.1:{server.port}"}
    settings = vendors.settings_of({}, vendors.registry().sources, env, data_dir=tmp_path)
    findings = {}
    for finding in examine(lambda: settings):
        assert server.asked == [] or "pagerduty" in findings or finding.name == "pagerduty"
        findings[finding.name] = finding
    server.close()
    assert len(server.asked) == 1
    assert "after 1 try (status 503" in findings["pagerduty"].text and not findings["pagerduty"].ok


class SlowSource:
    """A source of another package that knows no limits."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def check(self) -> str:
        threading.Event().wait(60)
        return "ok: much later"

    def close(self) -> None:
        pass


def test_the_doctor_does_not_wait_for_a_source_of_another_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SOURCE_SECONDS", 0.2)
    source = Source(name="acme", title="Acme", yields=("records",), connect=f"{__name__}:SlowSource")
    finding = doctor._source(Account("acme", source, SourceOptions(), access=object()))
    assert finding.text.startswith("Acme did not answer within 0.2 s; ") and not finding.ok


@pytest.mark.parametrize(
    ("hours", "said"),
    [(4, "4 hours"), (1, "1 hour"), (1.5, "1.5 hours"), (0.5, "30 minutes"), (0.0001, "0.36 seconds")],
)
def test_limits_are_said_in_a_unit_that_fits(hours: float, said: str) -> None:
    assert spoken(hours) == said
