"""GitLab pulled over HTTP from its simulator: complete, polite, and honest about what GitLab does not tell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from deploy_cases import Site, company
from hypothesis import given, settings
from hypothesis import strategies as st
from staging_cases import staging_of
from support import settings_for, slow

from mttr_pipeline.demo import VendorServer, World
from mttr_pipeline.demo.gitlab import GitLabSimulator
from mttr_pipeline.demo.gitlab.records import Renderer, made_by_api
from mttr_pipeline.demo.kit.limits import Limit
from mttr_pipeline.demo.kit.wire import Request, Response
from mttr_pipeline.demo.profiles import Rule
from mttr_pipeline.errors import ConfigError, PermanentError
from mttr_pipeline.landing.store import Landing, new_run_id
from mttr_pipeline.sources.gitlab import SOURCE
from mttr_pipeline.sources.gitlab.commits import Live, comparisons
from mttr_pipeline.sources.gitlab.pages import moved_to
from mttr_pipeline.sources.pulling import build_source
from mttr_pipeline.warehouse.conformance import odd_record_problems
from mttr_pipeline.warehouse.database import Warehouse

NOW = datetime(2026, 10, 1, 6, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
SHOP, SEARCH = "acme/shops/checkout", "acme/shops/search"


@contextmanager
def site(simulator: GitLabSimulator, folder: Path, *, limits: Any = None, **options: Any) -> Iterator[Site]:
    with VendorServer([simulator], clock=NOW, limits=limits) as server:
        yield Site("gitlab", server, folder, **options)


def iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def deployment(number: int, at: datetime, *, minutes: float = 5, **more: Any) -> dict[str, Any]:
    """A deployment by a job that ended after some minutes."""
    end = at + minutes * MINUTE
    return {
        "id": number,
        "iid": number,
        "ref": "main",
        "sha": f"{number:040x}",
        "created_at": iso(at),
        "updated_at": iso(end + timedelta(seconds=1)),
        "status": "success",
        "environment": {"id": 1, "name": "production"},
        "deployable": {"id": 9000 + number, "started_at": iso(at), "finished_at": iso(end), "tag": False},
        **more,
    }


def by_api(number: int, made: datetime, changed: datetime, **more: Any) -> dict[str, Any]:
    return deployment(number, made, updated_at=iso(changed), deployable=None, **more)


def commit(number: int, at: datetime) -> dict[str, Any]:
    return {
        "id": f"{number:040x}",
        "title": f"Change {number}",
        "authored_date": iso(at),
        "author_name": "Somebody",
        "author_email": "somebody@example.com",
        "created_at": iso(at + HOUR),
    }


# -- complete and incremental ------------------------------------------------------------------------------------------


def test_the_first_pull_reads_all_projects_page_by_page(tmp_path: Path) -> None:
    """Totals are missing above 10,000 rows, here above 50: a loop that needs them would stop or read nothing."""
    rows = [deployment(n, NOW - 20 * DAY + n * MINUTE) for n in range(1, 351)]
    simulator = GitLabSimulator.from_records({SHOP: rows, SEARCH: [deployment(999, NOW - DAY)]})
    with pytest.MonkeyPatch.context() as patch, site(simulator, tmp_path, commits=False) as gitlab:
        patch.setattr("mttr_pipeline.demo.gitlab.simulator.COUNTED", 50)
        manifest = gitlab.pull()
        assert gitlab.ids(manifest) == sorted(str(row["id"]) for row in [*rows, deployment(999, NOW)])
        assert {row["record"]["id"]: row["record"] for row in gitlab.rows(manifest, "deployments")}[7] == rows[6]
        assert all(line.status == 200 for line in gitlab.server.log)
        # Trap: one of the two without the other is refused, and the default order is by id.
        assert all(ask["order_by"] == ["updated_at"] and "updated_after" in ask for ask in gitlab.asked("/deployments"))


def test_short_pages_are_not_the_last(tmp_path: Path) -> None:
    """GitLab filters after it has cut a page: a short one, even an empty one, may have a successor."""
    rows = [deployment(n, NOW - 2 * DAY + n * MINUTE) for n in range(1, 251)]
    simulator = GitLabSimulator.from_records({SHOP: rows})
    whole = simulator._page

    def thinned(request: Request, found: list[Any]) -> Response:
        response = whole(request, found)
        page = msgspec.json.decode(response.body)
        response.body = msgspec.json.encode([row for row in page if row["id"] % 3 and not 100 < row["id"] <= 200])
        response.headers = {k: v for k, v in response.headers.items() if k not in ("X-Total", "X-Next-Page")}
        return response  # what is left of the paging is the header Link

    simulator._page = thinned  # type: ignore[method-assign]
    with site(simulator, tmp_path, commits=False) as gitlab:
        wanted = [str(n) for n in range(1, 251) if n % 3 and not 100 < n <= 200]
        assert gitlab.ids(gitlab.pull()) == sorted(wanted)


def test_a_blocked_deployment_is_read_again_when_it_is_over(tmp_path: Path) -> None:
    """Trap: an approval may come weeks later. By creation, or by the first row that is known, it would never be read again."""
    waiting = deployment(1, NOW - 40 * DAY, status="blocked", updated_at=iso(NOW - 40 * DAY))
    waiting["deployable"] = {"id": 9001, "started_at": None, "finished_at": None}
    others = [deployment(n, NOW - 30 * DAY + n * DAY) for n in range(2, 20)]
    with site(GitLabSimulator.from_records({SHOP: [waiting, *others]}), tmp_path, commits=False) as gitlab:
        gitlab.pull()
        assert gitlab.deploys("external_id, status, finished_at")[0] == ("1", None, None)
        end = NOW + 5 * HOUR
        waiting |= {"status": "success", "updated_at": iso(end)}
        waiting["deployable"] = {"id": 9001, "started_at": iso(end - HOUR), "finished_at": iso(end)}
        second = gitlab.pull(NOW + DAY)
        assert second.plan["mode"] == "incremental" and gitlab.ids(second) == ["1"]
        found = gitlab.deploys("external_id, status, requested_at, started_at, finished_at, finished_precision")[0]
        plain = [at.replace(tzinfo=None) for at in (NOW - 40 * DAY, end - HOUR, end)]
        assert found == ("1", "success", *plain, "job")


def test_changes_are_read_with_an_hour_of_overlap(tmp_path: Path) -> None:
    with site(GitLabSimulator.from_records({SHOP: []}), tmp_path) as gitlab:
        gitlab.pull()
        gitlab.pull(NOW + DAY)
        (asked,) = gitlab.asked("/deployments")
        assert asked["updated_after"] == [(NOW - HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")]
        assert len(gitlab.server.log) == 2, (
            "the project and its changes: a quiet night costs two requests for each project"
        )


def test_a_row_that_leaves_the_window_while_it_is_read_hides_no_other(tmp_path: Path) -> None:
    """It changes, so its place is elsewhere now, and the first row of the next page moves to the page that was read."""
    rows = [deployment(n, NOW - 2 * DAY + n * MINUTE) for n in range(1, 251)]
    with site(GitLabSimulator.from_records({SHOP: rows}), tmp_path, commits=False) as gitlab:
        gitlab.server.set_faults((Rule("shifted", nth=3, argument=1),))
        manifest = gitlab.pull()
        assert gitlab.ids(manifest) == sorted(str(row["id"]) for row in rows)
        assert "count_differences" not in manifest.facts


# -- projects ----------------------------------------------------------------------------------------------------------


def test_a_renamed_project_is_followed_by_its_id(tmp_path: Path) -> None:
    """The redirect stays inside this GitLab, and the id is what is asked after that."""
    simulator = GitLabSimulator.from_records(
        {SHOP: [deployment(1, NOW - DAY)]}, moved={"acme/old": SHOP}, projects=["acme/old"]
    )
    with site(simulator, tmp_path, services={"acme/old": ["Checkout", "Cart"]}) as gitlab:
        manifest = gitlab.pull()
        assert [row["record"]["path_with_namespace"] for row in gitlab.rows(manifest, "projects")] == [SHOP]
        assert gitlab.ids(manifest) == ["1"] and all("/projects/11" in line.path for line in gitlab.server.log[1:])
        assert gitlab.deploys("service, is_shared") == [("Cart", True), ("Checkout", True)]


def test_a_redirect_to_elsewhere_is_not_followed(tmp_path: Path) -> None:
    """The token would go with it."""
    base = "https://gitlab.example.com/git/api/v4"
    assert moved_to(f"{base}/projects/42", base) == "/projects/42"
    assert moved_to("/git/api/v4/projects/42", base) == "/projects/42"
    for other in (
        "https://evil.example/git/api/v4/projects/42",
        "http://gitlab.example.com/git/api/v4/projects/42",
        "https://gitlab.example.com/api/v4/projects/42",
        f"{base}/projects/42/../../../admin",
        f"{base}/user",
        "",
    ):
        assert moved_to(other, base) is None, other


def test_a_project_named_twice_is_read_once(tmp_path: Path) -> None:
    simulator = GitLabSimulator.from_records(
        {SHOP: [deployment(1, NOW - DAY)]}, moved={"acme/old": SHOP}, projects=["acme/old", SHOP]
    )
    with site(simulator, tmp_path) as gitlab:
        manifest = gitlab.pull()
        assert len(gitlab.rows(manifest, "deployments")) == 1


def test_nested_groups_and_a_path_prefix_are_encoded(tmp_path: Path) -> None:
    """A slash in the name of a project that is not encoded is another address, which GitLab answers with 404."""
    name = "acme/Ünit one".replace(" ", "-") + "/a.b/checkout_api"
    with site(GitLabSimulator.from_records({name: [deployment(1, NOW - DAY)]}), tmp_path) as gitlab:
        assert gitlab.ids(gitlab.pull()) == ["1"]
        assert gitlab.server.log[0].path == f"/api/v4/projects/{quote(name, safe='')}"  # below /gitlab, a prefix itself


def test_one_project_that_cannot_be_read_harms_no_other(tmp_path: Path) -> None:
    """It is counted once however many nights it lasts, named with what to do, and its history is read when it is there."""
    records = {SHOP: [deployment(1, NOW - DAY)], SEARCH: [deployment(2, NOW - 300 * DAY)]}
    simulator = GitLabSimulator.from_records(records)
    with site(simulator, tmp_path) as gitlab:
        gitlab.server.set_faults((Rule("status", attempts=None, argument=404, path="search"),))
        manifest = gitlab.pull()
        assert gitlab.ids(manifest) == ["1"] and manifest.facts["counts"]["projects_not_readable"] == 1
        sentence = manifest.facts["unreadable_projects"][SEARCH]
        assert "GITLAB_PROJECTS" in sentence and "scope read_api" in sentence and "search" in sentence
        gitlab.server.set_faults("none")
        second = gitlab.pull(NOW + DAY)
        assert gitlab.ids(second) == ["1", "2"] or gitlab.ids(second) == ["2"]
        assert "projects_not_readable" not in second.facts.get("counts", {})
        third = gitlab.pull(NOW + 2 * DAY)
        assert gitlab.ids(third) == [], "its history is read once"


def test_a_new_project_is_read_from_the_start_of_the_history(tmp_path: Path) -> None:
    """The others are not read again for it."""
    records = {SHOP: [deployment(1, NOW - 100 * DAY)], SEARCH: [deployment(2, NOW - 300 * DAY)]}
    with site(GitLabSimulator.from_records(records, projects=[SHOP]), tmp_path) as gitlab:
        gitlab.pull()
        environment = {**gitlab.server.env("gitlab"), "GITLAB_PROJECTS": f"{SHOP},{SEARCH}"}
        gitlab.settings = settings_for(tmp_path, {}, environment)
        assert gitlab.ids(gitlab.pull(NOW + DAY)) == ["2"]


@pytest.mark.parametrize("scopes", [(), ("read_user",)])
def test_no_readable_project_is_a_sentence(tmp_path: Path, scopes: tuple[str, ...]) -> None:
    simulator = GitLabSimulator.from_records({SHOP: [], SEARCH: []}, scopes=scopes)
    told = r"none of the 2 projects can be read\..*status 403 \(.*the scope read_api"
    with site(simulator, tmp_path) as gitlab, pytest.raises(PermanentError, match=told):
        gitlab.pull()


def test_a_refused_token_is_a_sentence(tmp_path: Path) -> None:
    simulator = GitLabSimulator.from_records({SHOP: []})
    with site(simulator, tmp_path) as gitlab:
        simulator.token = "another"
        with pytest.raises(PermanentError, match="check GITLAB_TOKEN: it may have expired"):
            gitlab.pull()


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"GITLAB_PROJECTS": "a/b"}, "GITLAB_PROJECTS is set but GITLAB_TOKEN is not"),
        ({"GITLAB_TOKEN": "t", "GITLAB_PROJECTS": "shop"}, "names 'shop'; write each project as group/name"),
        ({"GITLAB_TOKEN": "t", "GITLAB_PROJECTS": "https://gitlab.com/a/b"}, "write each project as group/name"),
        ({"GITLAB_TOKEN": "t", "GITLAB_PROJECTS": ", "}, "names no project"),
        ({"GITLAB_TOKEN": "t", "GITLAB_PROJECTS": "a/b", "GITLAB_URL": "gitlab"}, "GITLAB_URL must be an address"),
    ],
)
def test_wrong_variables_are_sentences(tmp_path: Path, environment: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        settings_for(tmp_path, {}, environment)


def test_doctor_asks_once(tmp_path: Path) -> None:
    with site(GitLabSimulator.from_records({SHOP: [deployment(1, NOW)], SEARCH: []}), tmp_path) as gitlab:
        source = build_source("gitlab", gitlab.settings)
        said = source.check()
        source.close()
        assert said.startswith("ok: GitLab reachable at 127.0.0.1") and said.endswith(
            f"1 deployments of {SHOP} and 1 more projects"
        )
        (line,) = gitlab.server.log
        assert "per_page=1" in line.query and line.query.count("per_page") == 1


# -- limits ------------------------------------------------------------------------------------------------------------


def test_the_rate_limit_is_obeyed(tmp_path: Path) -> None:
    """Its reset is a number of seconds since 1970: taken for a wait it is absurd, and the pull would run into refusals."""
    rows = [deployment(n, NOW - 2 * DAY + n * MINUTE) for n in range(1, 901)]
    simulator = GitLabSimulator.from_records({SHOP: rows})
    with site(simulator, tmp_path, limits={"gitlab": Limit(5, 1.0)}, commits=False, connections=1) as gitlab:
        manifest = gitlab.pull(since=NOW - 3 * DAY)
        assert len(gitlab.rows(manifest, "deployments")) == 900 and len(gitlab.server.log) >= 10
        assert [line.status for line in gitlab.server.log if line.status == 429] == []


@pytest.mark.parametrize(
    "profile", ["cut", "rows_vanish", "rows_appear", "repeated_rows", *slow("heavy", "truncated_json", "html")]
)
def test_faults_change_nothing_in_what_is_landed(tmp_path: Path, profile: str) -> None:
    rows = [
        deployment(n, NOW - 50 * DAY + n * HOUR, environment={"name": "staging" if n % 20 else "production"})
        for n in range(1, 231)
    ]
    rows += [by_api(n, NOW - 30 * DAY, NOW - 30 * DAY + 5 * HOUR) for n in (501, 502)]
    how: dict[str, Any] = {
        "commits": {SHOP: [commit(n, NOW - 51 * DAY + n * HOUR) for n in range(1, 231)]},
        "finishes": {n: iso(NOW - 30 * DAY + 100 * MINUTE) for n in (501, 502)},
    }
    landed = []
    for name in ("none", profile):
        (tmp_path / name).mkdir(exist_ok=True)
        with site(GitLabSimulator.from_records({SHOP: rows}, **how), tmp_path / name) as gitlab:
            gitlab.server.set_faults(name)
            manifest = gitlab.pull(since=NOW - 55 * DAY)
            found = {
                stream: {row["id"]: row for row in gitlab.rows(manifest, stream)}
                for stream in ("deployments", "finishes", "commits")
            }
            landed.append(found)
    assert landed[0] == landed[1] and len(landed[0]["deployments"]) == 232 and len(landed[0]["finishes"]) == 2


# -- when it finished --------------------------------------------------------------------------------------------------


def test_a_deployment_of_the_api_is_bracketed(tmp_path: Path) -> None:
    """Traps: it has no job; its last change and its creation are no finish; nor is the time of the pull."""
    made, over = NOW - 9 * DAY, NOW - 9 * DAY + 3 * HOUR + 17 * MINUTE
    rows = [
        by_api(1, made, made + 8 * MINUTE),  # its own row says it to eight minutes: no request
        by_api(2, made, NOW - DAY),  # changed a week after it was over
        by_api(3, made, NOW - DAY, status="failed"),  # only successful ones can be asked for
        by_api(4, made, NOW - DAY),  # an old one, for which GitLab has no finish
        deployment(5, made),
    ]
    simulator = GitLabSimulator.from_records({SHOP: rows}, finishes={1: iso(made + 8 * MINUTE), 2: iso(over)})
    with site(simulator, tmp_path, commits=False) as gitlab:
        manifest = gitlab.pull()
        plain = [
            at.replace(tzinfo=None) for at in (made + 4 * MINUTE, made + 3 * HOUR + 30 * MINUTE, made + 5 * MINUTE)
        ]
        assert gitlab.deploys("external_id, finished_at, finished_precision") == [
            ("1", plain[0], "interval"),
            ("2", plain[1], "interval"),
            ("3", None, "interval"),
            ("4", None, "interval"),
            ("5", plain[2], "job"),
        ]
        assert gitlab.ids(manifest, "finishes") == ["2"]
        assert manifest.facts["counts"]["deployments_without_an_hour_of_finish"] == 1
        asked = [ask for ask in gitlab.asked("/deployments") if "finished_after" in ask]
        assert 2 <= len(asked) <= 2 * 10, "eight days are 192 hours: eight halvings, and one more to be sure"
        assert all(ask["order_by"] == ["finished_at"] and ask["status"] == ["success"] for ask in asked)


def test_a_gitlab_that_cannot_filter_by_finish_is_asked_once(tmp_path: Path) -> None:
    rows = [by_api(n, NOW - 9 * DAY, NOW - DAY) for n in range(1, 9)]
    with site(GitLabSimulator.from_records({SHOP: rows}), tmp_path, commits=False, connections=1) as gitlab:
        simulator = gitlab.server.simulators["gitlab"]
        whole = simulator.handle

        def old(request: Request, now: datetime) -> Response:
            if request.one("order_by") == "finished_at":
                return Response(400, b'{"error":"order_by does not have a valid value"}')
            return whole(request, now)

        simulator.handle = old  # type: ignore[method-assign]
        manifest = gitlab.pull()
        assert manifest.facts["counts"]["deployments_without_an_hour_of_finish"] == 8
        assert len([ask for ask in gitlab.asked("/deployments") if "finished_after" in ask]) == 1


# -- lead time ---------------------------------------------------------------------------------------------------------


def test_the_first_commit_is_the_earliest_author_date(tmp_path: Path) -> None:
    """Between two successful production deployments: a failed one, and those to staging, are not in between."""
    times = [NOW - 20 * DAY, NOW - 9 * DAY, NOW - 12 * DAY, NOW - 8 * DAY]
    commits = [commit(n, at) for n, at in enumerate(times, start=1)]
    merge = "Merge branch 'basket' into 'main'"
    commits[2] |= {"title": merge, "message": f"{merge}\n\nFix OPS-3\n\nSee merge request acme/shop!7"}
    rows = [
        deployment(1, NOW - 7 * DAY),
        deployment(2, NOW - 6 * DAY, status="failed"),
        deployment(3, NOW - 5 * DAY, environment={"id": 2, "name": "staging"}),
        deployment(4, NOW - 4 * DAY),
        deployment(5, NOW - 3 * DAY, sha=f"{4:040x}"),  # a re-run brings nothing new
        deployment(6, NOW - 2 * DAY, sha=f"{1:040x}"),  # back to the first: nothing new either
    ]
    with site(GitLabSimulator.from_records({SHOP: rows}, commits={SHOP: commits}), tmp_path) as gitlab:
        manifest = gitlab.pull()
        found = {row[0]: row[1:] for row in gitlab.deploys("external_id, first_commit_at, texts")}
        assert found["4"] == (times[2].replace(tzinfo=None), ["Change 2", f"{merge}: Fix OPS-3", "Change 4"])
        assert {name: row[0] for name, row in found.items() if name != "4"} == dict.fromkeys("12356")
        assert found["6"] == (None, [])
        assert len(gitlab.asked("/compare")) == 2, (
            "one for each production deployment of another commit than the one before"
        )
        lines = gitlab.rows(manifest, "commits")
        assert "example.com" not in str(lines) and "Somebody" not in str(lines) and "diffs" not in str(lines)


def test_commits_can_be_switched_off(tmp_path: Path) -> None:
    rows = [deployment(n, NOW - 9 * DAY + n * DAY) for n in range(1, 5)]
    with site(GitLabSimulator.from_records({SHOP: rows}), tmp_path, commits=False) as gitlab:
        gitlab.pull()
        assert gitlab.asked("/compare") == []


def test_production_is_what_the_configuration_says(tmp_path: Path) -> None:
    """Another meaning of an environment reads the history again: its commits were not read."""
    rows = [deployment(n, NOW - 9 * DAY + n * DAY, environment={"id": 1, "name": "prod-eu"}) for n in (1, 2)]
    commits = [commit(n, NOW - 30 * DAY) for n in (1, 2)]
    with site(GitLabSimulator.from_records({SHOP: rows}, commits={SHOP: commits}), tmp_path) as gitlab:
        gitlab.pull()
        assert gitlab.asked("/compare") == []
        configured = {"vocabulary": {"environment": {"Prod EU": "production"}}}
        gitlab.settings = settings_for(tmp_path, configured, gitlab.server.env("gitlab"))
        assert gitlab.pull(NOW + DAY).plan["mode"] == "backfill" and len(gitlab.asked("/compare")) == 1


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_comparison_that_fails_costs_one_lead_time(tmp_path: Path, status: int) -> None:
    """A commit that is gone, a repository that may not be read, or changes that take GitLab too long."""
    rows = [deployment(n, NOW - 9 * DAY + n * DAY) for n in (1, 2, 3)]
    commits = [commit(n, NOW - 30 * DAY) for n in (1, 2, 3)]
    with site(
        GitLabSimulator.from_records({SHOP: rows}, commits={SHOP: commits}),
        tmp_path,
        max_wait_minutes=0.01,
        connections=1,
    ) as gitlab:
        nth = {"nth": 1} if status != 500 else {"attempts": None, "share": 0.5}
        gitlab.server.set_faults((Rule("status", argument=status, path="/compare", **nth),), seed=3)
        manifest = gitlab.pull()
        lost = manifest.facts["counts"].get("deployments_not_compared", 0)
        assert manifest.status == "complete" and lost + len(gitlab.rows(manifest, "commits")) == 2 and lost == 1


def test_the_next_night_compares_only_what_is_new(tmp_path: Path) -> None:
    """With what was live before it, although tonight's list does not hold that one; an old one whose row changed is left."""
    rows = [deployment(n, NOW - 10 * DAY + n * DAY) for n in range(1, 6)]
    commits = [commit(n, NOW - 30 * DAY + n * HOUR) for n in range(1, 9)]
    with site(GitLabSimulator.from_records({SHOP: rows}, commits={SHOP: commits}), tmp_path) as gitlab:
        gitlab.pull()
        assert len(gitlab.asked("/compare")) == 4
        book = gitlab.server.simulators["gitlab"]._book_at(NOW)
        book.deployments[11][1]["updated_at"] = iso(NOW + HOUR)
        book.deployments[11].append(deployment(7, NOW + 2 * HOUR))
        gitlab.pull(NOW + DAY)
        (asked,) = gitlab.asked("/compare")
        assert (asked["from"], asked["to"]) == ([f"{5:040x}"], [f"{7:040x}"])
        found = dict(gitlab.deploys("external_id, first_commit_at"))
        assert found["7"] == (NOW - 30 * DAY + 6 * HOUR).replace(tzinfo=None)


nights = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 3), st.sampled_from("abc")), unique_by=lambda one: one[0]
)


@given(nights, st.integers(0, 60))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_two_nights_compare_what_one_does(history: list[tuple[int, int, str]], cut: int) -> None:
    """Whatever the order in which a list brings them, and however many of those that are known it brings again."""
    ones = [Live(f"{minute:04d}", f"d{minute}", sha) for minute, _, sha in history]
    whole, _ = comparisons("p", [], ones)
    first = [one for one in ones if one.over_at <= f"{cut:04d}"]
    before, known = comparisons("p", [], first)
    kept = known[-3:]
    again = [one for one in first if one.over_at >= f"{cut - 1:04d}"]
    after, _ = comparisons("p", kept, [*again, *(one for one in ones if one not in first)])
    assert sorted([*before, *after]) == sorted(whole)


# -- the demonstration -------------------------------------------------------------------------------------------------


def told(site: Site) -> list[Any]:
    return site.deploys("* EXCLUDE (landed_in)")


@pytest.mark.parametrize("profile", ["none", *slow("heavy")])
def test_two_nights_are_a_full_pull(tmp_path: Path, profile: str) -> None:
    world = World(seed=7, until=NOW, volumes={}, days=3)
    world.deploys = company(NOW + 2 * DAY)
    with VendorServer([GitLabSimulator.from_world(world)], clock=NOW, limits=None, faults=profile) as server:
        (tmp_path / "nights").mkdir(), (tmp_path / "full").mkdir()
        site = Site("gitlab", server, tmp_path / "nights")
        site.pull(NOW, since=NOW - 55 * DAY)
        server.now = NOW + DAY
        site.pull(NOW + DAY)
        other = Site("gitlab", server, tmp_path / "full")
        other.pull(NOW + DAY, since=NOW - 55 * DAY)
        rows = told(site)
        assert rows == told(other) and len(rows) > 100
        expected = {}
        for one in world.deploys:
            if one.requested <= NOW + DAY:
                over = one.finished if one.ends_by(NOW + DAY) else None
                expected[str(4000 + one.number)] = (
                    one.outcome or None if over else None,
                    over and over.replace(tzinfo=None),
                    made_by_api(one),
                )
        found = site.deploys("external_id, status, finished_at, finished_precision = 'interval'")
        assert {row[0] for row in found} == expected.keys()
        for name, status, over, is_interval in found:
            wanted = expected[name]
            assert (status, is_interval) == (wanted[0], wanted[2]), name
            if over is None or not is_interval:
                assert over == wanted[1], name
            else:
                assert abs(over - wanted[1]) <= HOUR and over != wanted[1], name


def test_the_simulator_has_the_shape_of_the_documented_objects() -> None:
    """GitLab's document is not at hand here. The fixture is made by hand from what is known of its objects: every field that it has,
    the simulator has too, with a value of the same type or null."""
    shape = msgspec.json.decode((Path(__file__).parent / "fixtures" / "simulators" / "gitlab_shapes.json").read_bytes())
    renderer = Renderer(company(NOW))
    book = renderer.book(NOW)
    rows = [row for found in book.deployments.values() for row in found]
    assert {row["status"] for row in rows} >= {"success", "failed", "canceled", "running", "created"}
    for row in rows:
        _fits(shape["deployment"], row, "deployment")
    for project in renderer.projects:
        _fits(shape["project"], project, "project")
    for found in book.commits.values():
        for row in found:
            _fits(shape["commit"], row, "commit")


def _fits(shape: Any, value: Any, where: str) -> None:
    if value is None or shape is None:
        return
    assert type(value) is type(shape), f"{where}: {value!r}"
    if isinstance(shape, dict):
        for name, inner in shape.items():
            assert name in value, f"{where} has no {name}"
            _fits(inner, value[name], f"{where}.{name}")


# -- odd records -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stream", "record"),
    [
        (
            "projects",
            {"id": "11", "asked": SHOP, "record": {"id": 11, "path_with_namespace": SHOP, "web_url": "https://x"}},
        ),
        ("deployments", {"id": "1", "project_id": "11", "record": deployment(1, NOW)}),
        ("finishes", {"id": "1", "since": "2026-10-01T05:00:00Z", "until": "2026-10-01T06:00:00Z"}),
        (
            "commits",
            {"id": "1", "from": "a", "to": "b", "commits": [{"id": "b", "title": "x", "authored_date": iso(NOW)}]},
        ),
    ],
)
def test_odd_records_harm_no_other(tmp_path: Path, stream: str, record: dict[str, Any]) -> None:
    assert odd_record_problems(SOURCE, stream, record, tmp_path) == []


def test_odd_members_of_a_deployment_harm_no_other(tmp_path: Path) -> None:
    """What is odd inside the wrapped record: each member of a deployment with values of other types, between two sound ones."""
    sound = deployment(1, NOW - DAY)
    values: list[Any] = [None, 7, -1e300, True, "", "text", [], {}, [[1]], {"a": {"b": [1]}}]
    odd = [
        {**sound, "id": 100 + n, name: value}
        for n, (name, value) in enumerate((n, v) for n in sound.keys() - {"id"} for v in values)
    ]
    job = sound["deployable"]
    odd += [
        {**sound, "id": 900 + n, "deployable": {**job, name: value}}
        for n, (name, value) in enumerate((n, v) for n in job for v in values)
    ]
    lines = [{"id": str(row["id"]), "project_id": "11", "record": row} for row in [sound, *odd, {**sound, "id": 2}]]
    settings_ = settings_for(tmp_path, {})
    landing = Landing(tmp_path / "landing")
    extract = landing.begin("gitlab", new_run_id(), {})
    extract.land("deployments", "all", map(msgspec.json.encode, lines))
    extract.finish(NOW)
    warehouse = Warehouse(tmp_path / "work.duckdb", settings_, NOW, "run")
    try:
        warehouse.load(landing)
        for model in warehouse.catalog:
            if model.table in staging_of("gitlab"):
                warehouse.build(model)
                assert [check for check in warehouse.check(model) if not check.passed] == []
        rows = warehouse.con.execute(
            "SELECT * EXCLUDE (external_id) FROM staging.gitlab_deploys WHERE external_id IN ('1', '2')"
        ).fetchall()
        assert len(rows) == 2 and rows[0] == rows[1]
        held = warehouse.con.execute(
            "SELECT (SELECT count(*) FROM raw.gitlab_deployments) + (SELECT count(*) FROM ops.quarantine)"
        ).fetchone()
        assert held == (len(lines),)
    finally:
        warehouse.close()


def test_a_deploy_that_never_starts() -> None:
    """A deploy that never starts is still shown as it was asked for."""
    one = msgspec.structs.replace(company(NOW)[0], started=None, finished=None)
    (row,) = Renderer([one]).book(NOW).deployments[700]
    assert row["status"] == "created" and row["deployable"]["started_at"] is None
