"""A simulated vendor is one folder: the shared modules find it there and name none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import mttr_pipeline.demo
from mttr_pipeline.demo import DEMO, DOCUMENTED, World
from mttr_pipeline.demo.company import SERVICES
from mttr_pipeline.demo.registry import SENDERS, TOOLS, VENDORS

DEMO_ROOM = Path(mttr_pipeline.demo.__path__[0])

#: A vendor with one list and no search, whose tool watches services that are there already.
TOY = """
from mttr_pipeline.demo.kit.limits import Limit
from mttr_pipeline.demo.kit.paging import Paging
from mttr_pipeline.demo.kit.vendor import Tool, Vendor
from mttr_pipeline.demo.kit.wire import Response, answer, encode


class Toy:
    name = "toy"
    paging = Paging()

    def __init__(self, world):
        self.cases = world.of("toy")

    @classmethod
    def from_world(cls, world):
        return cls(world)

    def handle(self, request, now):
        return answer({"records": [case.id for case in self.cases if case.until(now)]})

    def record_in(self, path):
        return path.removeprefix("/records/") if path.startswith("/records/") else None

    def error(self, status, message):
        return encode({"problem": message})

    def limit_headers(self, limit, remaining, reset, window):
        return {"X-Left": str(remaining)}

    def environment(self, url):
        return {"TOY_URL": url}


SIMULATORS = (
    Vendor(
        name="toy",
        source="toy",
        documented=Limit(50, 60.0),
        demo=Limit(5, 3600.0),
        from_world=Toy.from_world,
        tools=(
            Tool(
                name="toy",
                source="toy",
                watches="opsgenie",
                volume=40,
                stories={"auto": 0.2, "open": 0.1},
                record_id=lambda identity, serial, created: f"T{serial}",
            ),
        ),
    ),
)
"""

#: Run with the folder of the toy as its argument, before anything of the demonstration is imported.
SCRIPT = """
import sys
import requests
import mttr_pipeline.demo
mttr_pipeline.demo.__path__.append(sys.argv[1])
from mttr_pipeline.demo import DOCUMENTED, VendorServer, World
from mttr_pipeline.demo.profiles import Rule

world = World(seed=7)
assert [*DOCUMENTED][-1] == "toy" and DOCUMENTED["toy"].requests == 50
with VendorServer(world) as server:
    assert server.env()["TOY_URL"] == server.url("toy")
    answers = [requests.get(server.url("toy") + "/records", timeout=10) for _ in range(6)]
    assert [response.status_code for response in answers] == [200] * 5 + [429]
    assert answers[-1].json() == {"problem": "Rate Limit Exceeded"} and answers[0].headers["X-Left"] == "4"
    expected = [row.external_id for row in world.truth() if row.source == "toy"]
    assert sorted(answers[0].json()["records"]) == sorted(expected) and len(expected) > 30
with VendorServer(world, limits=None, faults=(Rule("vanished", attempts=None),)) as server:
    assert requests.get(server.url("toy") + "/records", timeout=10).status_code == 200
    assert requests.get(server.url("toy") + "/records/T1", timeout=10).status_code == 404
others = [case for case in world.cases if case.tool != "toy"]
assert others == World(seed=7, volumes={name: count for name, count in world.volumes.items() if name != "toy"}).cases
"""


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_a_new_vendor_is_a_new_folder(tmp_path: Path) -> None:
    """It is served, limited and struck by faults, it has a history and expected results, and no other history changes."""
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "__init__.py").write_text(TOY)
    result = python("-c", SCRIPT, str(tmp_path))
    assert result.returncode == 0, result.stderr


def test_only_its_own_folder_names_a_vendor() -> None:
    """What a shared module says of one vendor would have to be repeated there for the next one.

    The roster of the company names the tool that watches a service, and nothing else.
    """
    words = {name for one in (*VENDORS, *SENDERS) for name in (one.name, one.source)}
    shared = [*DEMO_ROOM.glob("*.py"), *(DEMO_ROOM / "kit").glob("*.py")]
    assert len(shared) > 15 and len(words) > 4
    for path in shared:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if path.name == "company.py" and line.startswith("    Service("):
                continue
            assert not [word for word in words if word in line.lower()], f"{path.name}:{number}: {line}"


def test_the_order_of_vendors_and_histories_stays() -> None:
    """The order of the folders on disk decides nothing: of two sites that set JIRA_URL the Cloud one is offered, and the
    cases of a world are in the same order for the same seed."""
    assert [vendor.name for vendor in VENDORS] == [
        "pagerduty",
        "opsgenie",
        "jsm",
        "jira",
        "jira-dc",
        "github",
        "gitlab",
        "sentry",
        "slack",
    ]
    assert [*TOOLS] == ["pagerduty", "opsgenie", "opsgenie_incident", "jira", "jira-dc", "jsm", "alertmanager"]
    assert [*DEMO] == [*DOCUMENTED] == [vendor.name for vendor in VENDORS]


def test_every_service_is_watched_by_a_tool() -> None:
    """A name that is misspelled in the roster or in a declaration would leave a tool without services."""
    assert {service.tool for service in SERVICES} == {tool.watches for tool in TOOLS.values() if tool.volume}


def test_a_volume_needs_a_tool() -> None:
    """A misspelled tool in a test would otherwise give an empty history, or an error without a name."""
    with pytest.raises(ValueError, match=r"no simulated tool is called pagerdutty; there are pagerduty, "):
        World(volumes={"pagerdutty": 10})


def test_profiles_are_imported_without_the_demonstration() -> None:
    """`mttr --help` lists the names of the profiles and must not load the simulators for it."""
    listing = (
        "import sys, mttr_pipeline.demo.profiles; print([n for n in sys.modules if n.startswith('mttr_pipeline.')])"
    )
    result = python("-c", listing)
    assert result.stdout.strip() == "['mttr_pipeline.demo', 'mttr_pipeline.demo.profiles']", result.stderr
