"""What is landed of the demonstration company on two nights, whatever goes wrong on the way: deploys, errors, channels, post-mortems
and follow-ups. Tables are made of what is landed and of nothing else: where that is the same, so is every figure.

That the figures of a sound road are the truth is tested with test_deploy_truth and test_error_truth.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from deploy_cases import Site
from sharing import scratch
from support_e2e import UNTIL
from test_deploy_truth import NIGHTS

from mttr_pipeline.demo import VendorServer, World
from mttr_pipeline.demo.profiles import Profile, Rule
from mttr_pipeline.errors import PermanentError

#: Faults that an honest try gets through.
PASSING = (
    *("light", "reset", "cut", "truncated_json", "html", "repeated_rows", "rows_vanish", "rows_appear", "empty_pages"),
    *("repeated_token", "token_expired", "408", "500", "503"),
)
#: Those that a source waits for, and the other statuses of a server that is down, for the sources of errors and channels. Slack
#: tells of what goes wrong with the status 200.
WAITING: dict[str, dict[str, Profile]] = {
    **{name: {"sentry": name, "slack": name} for name in ("425", "502", "504", "latency")},
    **{
        rule.kind: {"sentry": (rule,), "slack": (rule,)}
        for rule in (Rule("throttle", share=0.1, argument=1), Rule("retry_after_date", share=0.1))
    },
    "ok: false": {"slack": (Rule("status", share=0.5, argument=200),)},
}
STREAMS = {
    "github": ("repositories", "deployments", "deployment_statuses", "comparisons"),
    "gitlab": ("projects", "deployments", "commits"),
    "sentry": (
        *("releases", "deploys", "commits"),
        *("projects", "issues", "issue_activities", "issue_counts", "sessions"),
    ),
    "pagerduty": ("change_events",),
    "slack": ("channels", "messages", "pins", "bookmarks", "users"),
    "jira": ("post_mortems", "actions"),
}
OPTIONS: dict[str, dict[str, Any]] = {"pagerduty": {"change_events": ["^Deployed "]}}


@pytest.fixture(scope="module")
def server() -> Iterator[VendorServer]:
    """The vendors of a small company. One server serves all runs: its address stands in what it answers."""
    small = World(3, UNTIL, days=30, volumes={"pagerduty": 20, "jira": 20}, weekly=1.5, reviews=1.0)
    with VendorServer(small, limits=None) as running:
        yield running


def landed(
    server: VendorServer, folder: Path, faults: Profile | Mapping[str, Profile], names: Collection[str] = tuple(STREAMS)
) -> dict[str, list[str]]:
    """Stream -> its lines after two nights of these sources, each once. Sources are pulled beside each other, as in a run."""
    server.set_faults(faults, seed=3)
    sites = [Site(name, server, folder / name, **OPTIONS.get(name, {})) for name in names]
    nights = []
    with ThreadPoolExecutor() as pool:
        for now in NIGHTS:
            server.now = now
            nights.append(list(pool.map(partial(Site.pull, as_of=now), sites)))
    return {
        f"{site.name} {stream}": sorted({json.dumps(row, sort_keys=True) for one in pulls for row in site.rows(one, stream)})
        for site, *pulls in zip(sites, *nights, strict=True)
        for stream in STREAMS[site.name]
    }  # fmt: skip


@pytest.fixture(scope="module")
def sound(server: VendorServer) -> dict[str, list[str]]:
    found = landed(server, scratch(), "none")
    assert all(found.values()), found
    return found


@pytest.mark.slow
@pytest.mark.parametrize("faults", PASSING)
def test_what_is_landed_is_the_same_under_every_fault(server: VendorServer, sound: Any, faults: str) -> None:
    """Both nights: each line of every source that tells of deploys, errors, channels or follow-ups."""
    found = landed(server, scratch(), faults)
    assert {
        stream: sorted({*lines} ^ {*sound[stream]})[:4] for stream, lines in found.items() if lines != sound[stream]
    } == {}


@pytest.mark.slow
@pytest.mark.parametrize("faults", WAITING)
def test_what_is_landed_is_the_same_after_every_wait(server: VendorServer, sound: Any, faults: str) -> None:
    """Errors, channels and messages, where the server asks for time, or is slow."""
    found = landed(server, scratch(), WAITING[faults], list(WAITING[faults]))
    assert {stream: lines for stream, lines in found.items() if lines != sound[stream]} == {}
    asked = [(line.path, line.query) for line in server.log if line.vendor in WAITING[faults]]
    assert len(asked) > len({*asked}) or faults == "latency", "it asked again"


@pytest.mark.parametrize("name", ["github", "gitlab", "sentry", "slack"])
@pytest.mark.parametrize("faults", ["unauthorized", "forbidden"])
def test_a_refusal_is_a_sentence_and_the_next_night_lacks_nothing(
    server: VendorServer, sound: Any, name: str, faults: str
) -> None:
    """A source that is refused lands nothing and says what to do; when it may read again, the history is whole. What says when it
    was read is left out: a pull that goes on tells the time of the machine, which is not that of the company."""
    folder = scratch()
    server.set_faults({name: faults})
    site = Site(name, server, folder / name)
    server.now = NIGHTS[0]
    with pytest.raises(PermanentError, match="_TOKEN"):
        site.pull(NIGHTS[0])
    assert not [one for one in site.landing.manifests(name) if one.status == "complete"]
    found = landed(server, folder, "none", [name])
    wanted = {key: sound[key] for key in found if '"read_at"' not in sound[key][0]}
    assert {key: found[key] for key in wanted} == wanted and len(wanted) > 2
