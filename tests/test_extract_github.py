"""GitHub pulled over HTTP from its simulator: complete, in proportion to what changed, polite, other repositories unharmed."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from github_cases import DAY, HOUR, MINUTE, NOW, Place, Site, done, iso, sha, site
from hypothesis import given, settings
from hypothesis import strategies as st
from support import settings_for, slow

from mttr_pipeline.demo.github.records import release
from mttr_pipeline.demo.github.simulator import throttled
from mttr_pipeline.demo.kit.wire import Response
from mttr_pipeline.demo.profiles import Rule
from mttr_pipeline.errors import ConfigError, PermanentError
from mttr_pipeline.sources.github.listing import NewestFirst
from mttr_pipeline.sources.github.outcomes import Success, kept, steps
from mttr_pipeline.sources.github.pull import GitHub


def shop(deploys: int = 3) -> Place:
    """A repository with that many good deployments, one a day, each of the next commit."""
    place = Place(1, "acme/shop")
    place.commit(1, NOW - (deploys + 1) * DAY)
    for number in range(1, deploys + 1):
        at = NOW - (deploys + 1 - number) * DAY
        if number > 1:
            place.commit(number, at - 3 * HOUR, f"Change {number}")
        place.deploy(number, at - 20 * MINUTE, *done(at))
    return place


# -- complete ----------------------------------------------------------------------------------------------------------


def test_the_first_pull_has_everything(tmp_path: Path) -> None:
    place = shop(250)
    with site(tmp_path, place) as here:
        manifest = here.pull()
        assert here.ids(manifest) == here.ids(manifest, "deployment_statuses") == list(range(1, 251))
        assert here.ids(manifest, "comparisons") == list(range(2, 251))
        assert here.asked("/deployments").count("/repos/acme/shop/deployments") == 3  # pages of 100
        (row,) = here.rows(manifest, "repositories")
        assert row["named"] == ["acme/shop"] and row["record"]["id"] == 1
        assert all("Bearer" not in line.query for line in here.server.log)


def test_a_night_in_which_nothing_happened_costs_nothing(tmp_path: Path) -> None:
    """What is as it was answers 304, which the vendor does not count: the repository, and the pages of its deployments."""
    with site(tmp_path, shop(150)) as here:
        here.pull()
        before = here.simulator.conditional
        manifest = here.pull(NOW + DAY)
        assert manifest.records == 0 and here.simulator.conditional - before == len(here.asked()) == 3
        assert here.pull(NOW + 2 * DAY).records == 0 and len(here.asked()) == 3


def test_requests_are_in_proportion_to_the_change(tmp_path: Path) -> None:
    """TRAP: an unchanged `updated_at` is no reason to ask for statuses: a deployment's moves with them."""
    place = shop(60)
    with site(tmp_path, place) as here:
        here.pull()
        place.commit(61, NOW)
        place.deploy(61, NOW + HOUR, *done(NOW + 2 * HOUR))
        place.set(60, "inactive", NOW + 2 * HOUR)
        manifest = here.pull(NOW + DAY)
        assert here.ids(manifest) == here.ids(manifest, "deployment_statuses") == [60, 61]
        assert sorted(here.asked("/statuses")) == [f"/repos/acme/shop/deployments/{n}/statuses" for n in (60, 61)]
        assert here.asked("/compare/") == [f"/repos/acme/shop/compare/{sha(60)}...{sha(61)}"]
        assert len(here.asked()) == 5


def test_a_deployment_that_is_not_over_is_looked_at_again_however_old_it_is(tmp_path: Path) -> None:
    """TRAP: a client that stops at the first row that did not change loses older deployments that change later, and the list has no
    filter by change. An approval may come after months."""
    place = Place(1, "acme/shop")
    place.deploy(1, NOW - 300 * DAY, ("pending", NOW - 300 * DAY))
    place.commit(1, NOW - 301 * DAY)
    for number in range(2, 150):
        place.deploy(number, NOW - (150 - number) * HOUR, *done(NOW - (150 - number) * HOUR), commit=1)
    place.deploy(200, NOW - HOUR, ("in_progress", NOW - HOUR), commit=1)
    with site(tmp_path, place) as here:
        assert here.ids(here.pull()) == [*range(1, 150), 200]
        quiet = here.pull(NOW + DAY)
        assert quiet.records == 0 and here.asked("/1/statuses") and here.simulator.conditional
        place.set(1, "success", NOW + DAY + HOUR)
        place.set(200, "success", NOW + DAY + HOUR)
        manifest = here.pull(NOW + 2 * DAY)
        assert here.ids(manifest, "deployment_statuses") == [1, 200]
        (old,) = [row for row in here.rows(manifest, "deployment_statuses") if row["deploymentId"] == 1]
        assert [status["state"] for status in old["statuses"]] == ["success", "pending"]
        here.pull(NOW + 3 * DAY)
        assert not here.asked("/statuses"), "what is over is not asked for again"


def test_a_deployment_may_wait_thirty_days_for_an_approval(tmp_path: Path) -> None:
    """TRAP: its creation is older than the last pull by weeks, and the change of it is new."""
    place = Place(1, "acme/shop")
    for number in range(1, 261):
        place.deploy(number, NOW - 29 * DAY + number * MINUTE, *done(NOW - 28 * DAY), commit=1)
    with site(tmp_path, place) as here:
        here.pull()
        place.set(1, "inactive", NOW + HOUR)  # on the third page, after one of deployments that are as old
        place.deploy(261, NOW + HOUR, *done(NOW + 2 * HOUR), commit=1)
        assert here.ids(here.pull(NOW + DAY)) == [1, 261]


def test_the_list_is_not_read_to_its_end_every_night(tmp_path: Path) -> None:
    place = Place(1, "acme/shop")
    for number in range(1, 1_001):
        place.deploy(number, NOW - (1_001 - number) * DAY / 2, *done(NOW - (1_001 - number) * DAY / 2 + HOUR), commit=1)
    with site(tmp_path, place) as here:
        here.pull()
        place.deploy(1_001, NOW + HOUR, *done(NOW + 2 * HOUR), commit=1)
        here.pull(NOW + DAY)
        assert here.asked().count("/repos/acme/shop/deployments") == 2  # the second page is wholly older than 30 days


def test_two_nights_are_one_full_pull(tmp_path: Path) -> None:
    """What is landed in the end is the same, whatever was not over in between; also comparisons."""

    def history(place: Place, night: int) -> None:
        if night == 1:
            for number in range(1, 40):
                place.commit(number, NOW - (41 - number) * HOUR, f"Change {number}")
                place.deploy(number, NOW - (41 - number) * HOUR, *done(NOW - (40 - number) * HOUR))
            place.deploy(40, NOW - HOUR, ("in_progress", NOW - HOUR))
        else:
            for number in range(40, 50):
                place.commit(number, NOW + number * MINUTE, f"Change {number}")
            place.set(40, "success", NOW + HOUR)
            for number in range(41, 50):
                place.deploy(number, NOW + (number - 30) * HOUR / 4, *done(NOW + (number - 20) * HOUR / 4))
            place.deploy(50, NOW + 3 * HOUR, *done(NOW + 4 * HOUR), commit=3)  # back to the third commit

    def newest(here: Site) -> dict[str, dict[int, Any]]:
        found: dict[str, dict[int, Any]] = {}
        for manifest in here.landing.manifests("github"):
            for row in here.rows(manifest, "deployments"):
                found.setdefault("deployments", {})[row["record"]["id"]] = row
            for stream in ("deployment_statuses", "comparisons"):
                found.setdefault(stream, {}).update({row["deploymentId"]: row for row in here.rows(manifest, stream)})
        return found

    nightly, whole = Place(1, "acme/shop"), Place(1, "acme/shop")
    with site(tmp_path / "nightly", nightly) as here:
        history(nightly, 1)
        here.pull()
        history(nightly, 2)
        here.pull(NOW + DAY)
        step_by_step = newest(here)
    history(whole, 1)
    history(whole, 2)
    with site(tmp_path / "whole", whole) as here:
        here.pull(NOW + DAY)
        assert newest(here) == step_by_step
    assert step_by_step["comparisons"][50]["status"] == "behind"
    assert len(step_by_step["comparisons"]) == 49


@pytest.mark.parametrize("faults", ["reset", "repeated_rows", *slow("cut", "truncated_json", "html", "503", "429")])
def test_faults_change_nothing_of_what_is_landed(tmp_path: Path, faults: str) -> None:
    landed = []
    for name, profile in (("sound", "none"), ("faulty", faults)):
        place = shop(7)
        place.deploy(40, NOW - HOUR, ("in_progress", NOW - HOUR))
        with site(tmp_path / name, place, faults=profile) as here:
            first, second = here.pull(), here.pull(NOW + DAY)
            assert len(here.server.log) > 0
            streams = ("repositories", "deployments", "deployment_statuses", "comparisons")
            landed.append([sorted(map(str, here.rows(one, stream))) for one in (first, second) for stream in streams])
    assert landed[0] == landed[1]


def test_an_interrupted_pull_is_completed(tmp_path: Path) -> None:
    place = shop(120)
    with site(tmp_path, place) as here:
        here.server.set_faults((Rule("status", attempts=None, argument=401, path="/100/statuses"),))
        with pytest.raises(PermanentError, match="GITHUB_TOKEN"):
            here.pull()
        here.server.set_faults("none")
        manifest = here.pull()
        assert manifest.status == "complete" and len(here.landing.manifests("github")) == 1
        assert "/repos/acme/shop/deployments" not in here.asked()
        assert here.ids(manifest) == here.ids(manifest, "deployment_statuses") == list(range(1, 121))
        assert here.ids(manifest, "comparisons") == list(range(2, 121))


def test_a_deleted_deployment_stays_ours(tmp_path: Path) -> None:
    """TRAP: only deployments that are not active can be deleted, and then the vendor does not know them. No tombstone is landed."""
    place = shop(3)
    place.deploy(9, NOW - 90 * DAY, ("pending", NOW - 90 * DAY))
    with site(tmp_path, place) as here:
        here.pull()
        place.deployments[:] = [row for row in place.deployments if row["id"] not in (1, 9)]
        manifest = here.pull(NOW + DAY)
        assert manifest.status == "complete" and not here.rows(manifest, "tombstones") and here.asked("/9/statuses")
        here.pull(NOW + 2 * DAY)
        assert not here.asked("/9/statuses")


# -- repositories ------------------------------------------------------------------------------------------------------


def test_a_repository_that_cannot_be_read_harms_no_other(tmp_path: Path) -> None:
    with site(tmp_path, shop(3), names="acme/gone,acme/shop") as here:
        manifest = here.pull()
        assert manifest.status == "complete" and here.ids(manifest) == [1, 2, 3]
        assert here.counts(manifest) == {"repositories_not_readable": 1}
        sentence = (
            r"^GitHub: 127.0.0.1:\d+ does not show the repository acme/gone \(status 404: Not Found\). It does not exist, or the "
            r"token may not read it: check GITHUB_REPOS, and give the token in GITHUB_TOKEN the repository permissions "
            r"Deployments \(read\) and Contents \(read\), or the scope repo if it is a classic one.$"
        )
        with pytest.raises(PermanentError, match=sentence):
            here.source().check()
        here.read("acme/gone,acme/lost")
        with pytest.raises(PermanentError, match=r"repositories acme/gone \(.*\), acme/lost \(.*\). They do not exist"):
            here.pull(NOW + DAY)


def test_a_repository_that_was_out_of_sight_lacks_nothing_afterwards(tmp_path: Path) -> None:
    """Each goes on from where it was read itself, not from the last pull of the others."""
    other = Place(2, "acme/other")
    place = shop(3)
    with site(tmp_path, place, other) as here:
        here.pull()
        here.server.set_faults((Rule("status", attempts=None, argument=404, path="/repos/acme/shop"),))
        place.deploy(4, NOW + HOUR, *done(NOW + 2 * HOUR), commit=3)
        for night in range(1, 60):
            assert here.counts(here.pull(NOW + night * DAY)) == {"repositories_not_readable": 1}
        here.server.set_faults("none")
        place.deploy(5, NOW + 59 * DAY, *done(NOW + 59 * DAY + HOUR), commit=3)
        assert here.ids(here.pull(NOW + 60 * DAY)) == [4, 5]


def test_a_repository_that_only_another_attempt_could_read_is_landed(tmp_path: Path) -> None:
    """What the first attempt landed says nothing of it, and the vendor never sends again what has not changed."""
    other = Place(2, "acme/other")
    other.deploy(50, NOW - DAY, *done(NOW - DAY))
    with site(tmp_path, shop(3), other) as here:
        here.server.set_faults(
            (
                Rule("status", attempts=None, argument=403, path="/repos/acme/shop"),
                Rule("status", attempts=None, argument=401, path="/repos/acme/other/deployments"),
            )
        )
        with pytest.raises(PermanentError, match="401"):
            here.pull()
        here.server.set_faults("none")
        rows = here.rows(here.pull(), "repositories")
        assert sorted(row["record"]["full_name"] for row in rows) == ["acme/other", "acme/shop"]


def test_a_repository_that_is_added_is_read_from_its_beginning(tmp_path: Path) -> None:
    """And the others are not read again."""
    other = Place(2, "acme/other")
    other.deploy(50, NOW - 400 * DAY, *done(NOW - 400 * DAY))
    with site(tmp_path, shop(3), other, names="acme/shop") as here:
        here.pull()
        here.read("acme/shop,acme/other")
        assert here.ids(here.pull(NOW + DAY)) == [50]
        assert here.asked("acme/shop") == ["/repos/acme/shop", "/repos/acme/shop/deployments"]


def test_a_renamed_repository_is_followed(tmp_path: Path) -> None:
    """TRAP: the vendor answers 301; the id stays, so nothing is read twice or lost."""
    place = shop(3)
    with site(tmp_path, place) as here:
        here.pull()
        place.full_name, place.formerly = "acme/store", ("acme/shop",)
        place.deploy(4, NOW + HOUR, *done(NOW + 2 * HOUR), commit=3)
        manifest = here.pull(NOW + DAY)
        assert here.ids(manifest) == [4] and here.rows(manifest, "deployments")[0]["parent_id"] == "1"
        assert here.rows(manifest, "repositories")[0]["record"]["full_name"] == "acme/store"
        here.read("acme/store,acme/shop")
        manifest = here.pull(NOW + 2 * DAY)
        assert here.counts(manifest) == {"repositories_named_twice": 1}
        assert here.asked("/deployments") == ["/repos/acme/store/deployments"]


def test_the_token_never_goes_to_another_host(tmp_path: Path) -> None:
    """A redirect leads anywhere; only one within the address of the API is followed, and its prefix counts."""
    place = shop(1)
    with site(tmp_path, place) as here:
        for target in ("https://elsewhere.example/repositories/1", f"{here.server.address}/other/repositories/1"):
            moved = here.simulator._moved(target)
            here.simulator.refusals = [moved] * 9
            with pytest.raises(PermanentError, match="redirects are not followed"):
                here.pull()
            assert len(here.asked()) == len(here.server.log) == 1
        circle = here.simulator._moved(f"{here.server.url('github')}/repositories/1")
        here.simulator.refusals = [circle] * 9
        with pytest.raises(PermanentError, match="redirects"):
            here.pull()
        assert len(here.asked()) == 4


def test_an_enterprise_server_has_a_prefix(tmp_path: Path) -> None:
    """`https://HOST/api/v3`; the simulators are served below a prefix too, and every request must keep it."""
    with site(tmp_path, shop(2)) as here:
        assert here.env["GITHUB_API_URL"].endswith("/github")
        here.pull()
        assert all(line.vendor == "github" for line in here.server.log)


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({"GITHUB_REPOS": "acme/shop"}, "GITHUB_REPOS is set but GITHUB_TOKEN is not"),
        ({"GITHUB_REPOS": "shop", "GITHUB_TOKEN": "x"}, "'shop' is no repository; write owner/name"),
        ({"GITHUB_REPOS": "acme/..", "GITHUB_TOKEN": "x"}, "'acme/..' is no repository"),
        ({"GITHUB_REPOS": "https://x/acme/shop", "GITHUB_TOKEN": "x"}, "no repository"),
        ({"GITHUB_REPOS": ",", "GITHUB_TOKEN": "x"}, "names no repository"),
    ],
)
def test_what_is_wrong_with_the_names_is_a_sentence(tmp_path: Path, env: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        settings_for(tmp_path, {}, env).account("github").access  # noqa: B018


def test_a_token_for_other_programs_switches_nothing_on(tmp_path: Path) -> None:
    accounts = settings_for(tmp_path, {}, {"GITHUB_TOKEN": "x"}).accounts
    assert all(account.access is None for account in accounts if account.name == "github")


# -- what is brought out -----------------------------------------------------------------------------------------------


def test_commits_are_compared_with_the_deployment_before_in_the_same_environment(tmp_path: Path) -> None:
    """Not with a failed one, not with one of staging, and not with a preview that calls itself production. A re-run brings out
    nothing. The title of a pull request comes with its merge, without a request for it."""
    place = Place(1, "acme/shop")
    for number in range(1, 9):
        place.commit(number, NOW - 10 * DAY + number * HOUR, f"Change {number}\n\nCo-authored-by: A <a@example.com>")
    place.commits[2] = (
        *place.commits[2][:2],
        "Merge pull request #5 from acme/fix\n\nFix OPS-3\n\nCo-authored-by: A <a@example.com>",
    )
    at = NOW - 5 * DAY
    place.deploy(1, at, *done(at + HOUR))
    place.deploy(2, at + 2 * HOUR, ("failure", at + 3 * HOUR))
    place.deploy(3, at + 4 * HOUR, *done(at + 5 * HOUR), environment="staging")
    place.deploy(4, at + 4 * HOUR, *done(at + 5 * HOUR), transient_environment=True)
    place.deploy(5, at + 4 * HOUR, *done(at + 5 * HOUR), task="lint")
    place.deploy(6, at + 6 * HOUR, *done(at + 7 * HOUR), environment="PROD")  # another name, another environment
    place.deploy(7, at + 8 * HOUR, *done(at + 9 * HOUR), commit=3)
    place.deploy(8, at + 10 * HOUR, *done(at + 11 * HOUR), commit=3)
    with site(tmp_path, place) as here:
        manifest = here.pull()
        (row,) = here.rows(manifest, "comparisons")
        assert (row["deploymentId"], row["base"], row["head"]) == (7, sha(1), sha(3))
        assert [commit["title"] for commit in row["commits"]] == [
            "Change 2",
            "Merge pull request #5 from acme/fix: Fix OPS-3",
        ]
        assert "example.com" not in str(row), "people are not landed"
        assert here.asked("/compare/") == [f"/repos/acme/shop/compare/{sha(1)}...{sha(3)}"]


def test_more_commits_than_one_answer_holds_are_paged(tmp_path: Path) -> None:
    """TRAP: without a page, 250 come at most, and nothing says that there are more but the total."""
    place = Place(1, "acme/shop")
    for number in range(1, 1_500):
        place.commit(number, NOW - 3_000 * HOUR + number * HOUR)
    place.deploy(1, NOW - 3 * DAY, *done(NOW - 3 * DAY))
    place.deploy(2, NOW - 2 * DAY, *done(NOW - 2 * DAY), commit=400)
    place.deploy(3, NOW - DAY, *done(NOW - DAY), commit=1_499)
    with site(tmp_path, place) as here:
        manifest = here.pull()
        found = {row["deploymentId"]: len(row["commits"]) for row in here.rows(manifest, "comparisons")}
        assert found == {2: 399, 3: 1_000}
        assert here.counts(manifest) == {"comparisons_cut": 1} and len(here.asked("/compare/")) == 1 + 4 + 1 + 10


def test_a_branch_that_was_rewritten_costs_only_its_lead_time(tmp_path: Path) -> None:
    place = shop(4)
    del place.commits[1]
    with site(tmp_path, place) as here:
        manifest = here.pull()
        assert here.ids(manifest, "comparisons") == [4] and here.counts(manifest) == {"deployments_not_comparable": 2}


def test_a_token_without_contents_is_asked_once(tmp_path: Path) -> None:
    with site(tmp_path, shop(120)) as here:
        here.server.set_faults((Rule("status", attempts=None, argument=403, path="/compare/"),))
        manifest = here.pull()
        assert here.counts(manifest) == {"commits_not_readable": 1} and here.ids(manifest) == list(range(1, 121))
        assert len(here.asked("/compare/")) <= 8, "one for each thread at most"


def test_commits_can_be_left_out(tmp_path: Path) -> None:
    with site(tmp_path, shop(4), commits=False) as here:
        assert not here.rows(here.pull(), "comparisons") and not here.asked("/compare/")


def test_an_environment_that_is_mapped_later_is_compared_too(tmp_path: Path) -> None:
    """What counts as production decides which commits are read, so the history is read again."""
    place = Place(1, "acme/shop")
    for number in (1, 2):
        place.commit(number, NOW - 9 * DAY)
        place.deploy(number, NOW - (5 - number) * DAY, *done(NOW - (5 - number) * DAY + HOUR), environment="prod-eu")
    with site(tmp_path, place) as here:
        assert here.ids(here.pull(), "comparisons") == []
        here.options["environment"] = {"Prod EU": "production"}
        here.read("acme/shop")
        assert here.ids(here.pull(NOW + DAY), "comparisons") == [2]
        assert here.ids(here.pull(NOW + 2 * DAY), "comparisons") == []


# -- releases ----------------------------------------------------------------------------------------------------------


def test_releases_stand_in_for_deployments_that_are_not_there(tmp_path: Path) -> None:
    """TRAP: a draft has no instant of publication, keeps its place in the list, and may be published a year later."""
    place = Place(1, "acme/kit")
    place.releases = [
        release(3, "acme/kit", "a/b@1+2", NOW - 3 * DAY, NOW - 2 * DAY),
        release(2, "acme/kit", "v2", NOW - 300 * DAY, None),
        release(1, "acme/kit", "v1", NOW - 400 * DAY, NOW - 399 * DAY),
    ]
    with site(tmp_path, place, shop(2)) as here:
        manifest = here.pull()
        tags = {row["record"]["tag_name"] for row in here.rows(manifest, "releases")}
        assert tags == {"a/b@1+2", "v1"} and "/repos/acme/shop/releases" not in here.asked()
        assert here.pull(NOW + DAY).records == 0
        place.releases[1] |= {"draft": False, "published_at": iso(NOW + DAY + HOUR)}
        manifest = here.pull(NOW + 2 * DAY)
        assert [row["record"]["tag_name"] for row in here.rows(manifest, "releases")] == ["v2"]
        place.deploy(5, NOW + 2 * DAY, *done(NOW + 2 * DAY + HOUR))
        assert here.ids(here.pull(NOW + 3 * DAY)) == [5] and not here.asked("/releases")


# -- politeness --------------------------------------------------------------------------------------------------------


FORBIDDEN = b'{"message": "Forbidden"}'  # the headers alone say that it is a rate limit


class Waits:
    """A clock that only waits move."""

    def __init__(self) -> None:
        self.waited: list[float] = []
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.at += seconds


@pytest.mark.parametrize(
    ("refusal", "least", "most"),
    [
        (Response(403, FORBIDDEN, {"Retry-After": "77"}), 77, 77),
        (throttled(429, {"Retry-After": "77"}), 77, 77),
        (Response(403, FORBIDDEN, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "EPOCH"}), 2_390, 2_400),
        (throttled(429, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "EPOCH"}, secondary=False), 2_390, 2_400),
        (throttled(403), 60, 60),
        (throttled(429), 60, 60),
    ],
    ids=["403 after", "429 after", "403 reset", "429 reset", "403 silent", "429 silent"],
)
def test_a_rate_limit_is_waited_for(tmp_path: Path, refusal: Any, least: float, most: float) -> None:
    """TRAP: with 403 or 429. Retry-After first, else the reset in seconds since 1970, which may be most of an hour away, else a
    minute. A wait that the vendor asks for is no reason to give up."""
    if "x-ratelimit-reset" in refusal.headers:
        refusal.headers["x-ratelimit-reset"] = str(int(time.time() + 2_400))
    with site(tmp_path, shop(1)) as here:
        waits = Waits()
        account = here.settings.account("github")
        source = GitHub("github", account.access, account.options, clock=waits, sleep=waits.sleep)
        here.simulator.refusals = [refusal]
        assert source.check() == f"ok: GitHub reachable at {source._client.host}, 1 repository"
        assert least <= sum(waits.waited) <= most and source.requests == 2


def test_silent_refusals_are_waited_out_longer_each_time(tmp_path: Path) -> None:
    with site(tmp_path, shop(1), max_wait_minutes=60) as here:
        waits = Waits()
        account = here.settings.account("github")
        source = GitHub("github", account.access, account.options, clock=waits, sleep=waits.sleep)
        here.simulator.refusals = [throttled(403)] * 4
        source.check()
        assert waits.waited == [60, 120, 240, 480]


def test_a_403_that_is_no_rate_limit_is_a_refusal(tmp_path: Path) -> None:
    """It is asked once, and says what the token lacks."""
    with site(tmp_path, shop(1)) as here:
        said = "Resource not accessible by personal access token"
        here.simulator.refusals = [here.simulator._refused(403, said, {"x-ratelimit-remaining": "4999"})]
        with pytest.raises(PermanentError, match=rf"acme/shop \(status 403: {said}\).*Deployments \(read\)"):
            here.source().check()
        assert len(here.asked()) == 1


def test_the_default_rate_stays_below_the_limit_of_a_minute(tmp_path: Path) -> None:
    """900 points a minute. The limit of an hour is told with every response, and waited for."""
    with site(tmp_path, shop(1)) as here:
        options = type(here.settings.account("github").options)()
        assert options.requests_per_minute is not None and options.requests_per_minute < 900


def test_deployments_of_a_few_hours_after_midnight_are_read_once(tmp_path: Path) -> None:
    """The overlap of two pulls reads the last hour again, and no more."""
    place = shop(2)
    place.deploy(5, NOW - 30 * MINUTE, *done(NOW - 10 * MINUTE), commit=2)
    with site(tmp_path, place) as here:
        here.pull()
        place.deploy(6, NOW + HOUR, *done(NOW + 2 * HOUR), commit=2)
        assert here.ids(here.pull(NOW + DAY)) == [5, 6]
        assert here.ids(here.pull(NOW + timedelta(hours=25))) == []


# -- the order of the list ---------------------------------------------------------------------------------------------


@settings(max_examples=300, derandomize=True, database=None, deadline=None)
@given(
    ages=st.lists(st.integers(0, 100), max_size=60),
    size=st.integers(1, 7),
    limit=st.integers(0, 100),
    order=st.sampled_from(["newest first", "oldest first"]),
)
def test_no_row_that_is_wanted_is_behind_the_end(ages: list[int], size: int, limit: int, order: str) -> None:
    """Whichever way the vendor sorts, though it promises neither: every deployment that is young enough stands on a page that is
    read. And with the newest first, no page is read after one of old rows, once the order shows."""
    created = [NOW - age * DAY for age in sorted(ages, reverse=order == "oldest first")]
    pages = [created[start : start + size] for start in range(0, len(created), size)]
    oldest = NOW - limit * DAY
    watch, read = NewestFirst(oldest), 0
    for page in pages:
        read += 1
        if watch.is_past(page):
            break
    assert all(at < oldest for page in pages[read:] for at in page)
    if order == "newest first":
        before = pages[: max(0, read - 1)]
        shown = [
            page for place, page in enumerate(before) if len({at for one in before[: place + 1] for at in one}) > 1
        ]
        assert all(max(page) >= oldest for page in shown)


@settings(max_examples=200, derandomize=True, database=None, deadline=None)
@given(
    times=st.lists(st.integers(0, 40), min_size=1, max_size=14, unique=True),
    shas=st.lists(st.integers(0, 3), min_size=14, max_size=14),
    cut=st.integers(0, 40),
)
def test_deployments_are_compared_once_however_the_nights_are_cut(times: list[int], shas: list[int], cut: int) -> None:
    """The steps of two nights are those of one, though the first night keeps only the newest deployments."""
    everything = [Success(f"2026-10-01T00:00:{at:02d}Z", at, f"{sha}") for at, sha in zip(times, shas, strict=False)]
    first = [one for one in everything if one.id < cut]
    live = kept(first, f"2026-10-01T00:00:{cut:02d}Z")
    new = [step for step in steps({*live, *(set(everything) - set(first))}) if step not in set(steps(live))]
    assert len(live) <= 1 and sorted([*steps(first), *new]) == sorted(steps(everything))
