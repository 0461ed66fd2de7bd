"""Sentry and GlitchTip pulled over HTTP from their simulator: complete, polite, and honest about what they do not tell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from deploy_cases import Site
from hypothesis import given, settings
from hypothesis import strategies as st
from support import settings_for, slow

from mttr_pipeline.demo import VendorServer
from mttr_pipeline.demo.kit.limits import Limit
from mttr_pipeline.demo.kit.wire import Request, Response
from mttr_pipeline.demo.profiles import Rule
from mttr_pipeline.demo.sentry import SentrySimulator
from mttr_pipeline.demo.sentry.records import commit, deploy, release
from mttr_pipeline.errors import ConfigError, PermanentError
from mttr_pipeline.landing.manifest import Manifest
from mttr_pipeline.sources.kit.ratelimit import allowance, retry_after
from mttr_pipeline.sources.pulling import build_source
from mttr_pipeline.sources.sentry import SOURCE
from mttr_pipeline.sources.sentry.pages import following, releases_path
from mttr_pipeline.warehouse.conformance import odd_record_problems

NOW = datetime(2026, 10, 1, 6, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


class Organization:
    """An organization that goes on, and a simulator of it."""

    def __init__(self, **how: Any) -> None:
        self.releases: list[Any] = []
        self.deploys: dict[str, list[Any]] = {}
        self.commits: dict[str, list[Any]] = {}
        self.posted = 0
        self.simulator = SentrySimulator.from_records(self.releases, deploys=self.deploys, commits=self.commits, **how)

    def release(self, version: str, at: datetime, *projects: str, **more: Any) -> None:
        self.releases.append(release(version, at, projects or ("checkout",), **more))

    def deploy(self, version: str, at: datetime, environment: str = "production", **more: Any) -> int:
        self.posted += 1
        self.deploys.setdefault(version, []).append(deploy(self.posted, at, environment, **more))
        return self.posted

    def history(self, n: int) -> None:
        """Releases of the last days, each brought out to staging and production."""
        for number in range(n):
            version, at = f"checkout@1.{number}", NOW - 20 * DAY + number * HOUR
            self.release(version, at)
            self.commits[version] = [commit(f"{number + 1:040x}", at - HOUR, f"Change {number}")]
            self.deploy(version, at + MINUTE, "staging")
            self.deploy(version, at + 30 * MINUTE)


@contextmanager
def site(organization: Organization, folder: Path, *, limits: Any = None, **options: Any) -> Iterator[Site]:
    with VendorServer([organization.simulator], clock=NOW, limits=limits) as server:
        yield Site("sentry", server, folder, **{"errors": False, **options})


def asked(here: Site, part: str) -> list[str]:
    """The versions that were asked for a list."""
    return [line.path.split("/")[-3] for line in here.server.log if line.path.endswith(f"/{part}/")]


def counts(manifest: Manifest) -> dict[str, int]:
    found: dict[str, int] = manifest.facts.get("counts", {})
    return found


plain = lambda at: at.replace(tzinfo=None)  # noqa: E731


# -- complete and incremental ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flavour", ["sentry", "glitchtip"])
def test_all_pages_are_read_and_a_quiet_night_costs_one_request_a_page(tmp_path: Path, flavour: str) -> None:
    """Trap: the last page names a next one, too. A release without deploys costs nothing and is no deploy."""
    here = Organization(flavour=flavour)
    here.history(120)
    for number in range(120):
        here.release(f"search@{number}", NOW - 19 * DAY + number * HOUR, dateReleased="2026-09-20T00:00:00Z")
    with site(here, tmp_path) as sentry:
        manifest = sentry.pull()
        assert sentry.ids(manifest, "deploys") == sorted(str(n) for n in range(1, 241))
        assert len(sentry.ids(manifest, "releases")) == 120
        lists = [line for line in sentry.server.log if line.path.endswith("/acme/releases/")]
        assert len(lists) == 3 and len(asked(sentry, "deploys")) == len(asked(sentry, "commits")) == 120
        rows = sentry.deploys("external_id, service, environment, version, status")
        assert len(rows) == 240 and ("2", "checkout", "production", "checkout@1.0", "success") in rows
        assert "somebody" not in str([sentry.rows(manifest, s) for s in ("releases", "deploys", "commits")]).lower()
        second = sentry.pull(NOW + DAY)
        assert second.plan["mode"] == "incremental" and len(sentry.server.log) == 3
        assert sentry.ids(second, "releases") == sentry.ids(second, "deploys") == []


def test_pages_without_rows_are_not_the_last() -> None:
    def link(results: str) -> dict[str, str]:
        return {
            "link": '<https://x/?&cursor=0:0:1>; rel="previous"; results="true"; cursor="0:0:1", '
            f'<https://x/?&cursor=0:100:0>; rel="next"; results="{results}"; cursor="0:100:0"'
        }

    assert following(link("true")) == "0:100:0" and following(link("false")) is None and following({}) is None
    assert following({"link": '<https://x/?a=1&cursor=5:0:0>; rel="next"'}) == "5:0:0"


def test_the_walk_ends_after_thirty_days(tmp_path: Path) -> None:
    """The list has no filter by time: without an end, each night would read all of it."""
    here = Organization()
    for number in range(500):
        here.release(f"v{number}", NOW - 500 * DAY + number * DAY)
    with site(here, tmp_path) as sentry:
        sentry.pull()
        assert len(sentry.server.log) == 5
        sentry.pull(NOW + DAY)
        assert len(sentry.server.log) == 2, "the first page has the last hundred days; the one behind it shows it"


def test_an_older_version_brought_out_again_is_a_deploy(tmp_path: Path) -> None:
    """Trap: Sentry's list then holds the new deploy in the place of the old one. The old one stays, and core sees a rollback."""
    here = Organization()
    here.history(3)
    with site(here, tmp_path) as sentry:
        sentry.pull()
        again = here.deploy("checkout@1.1", NOW + HOUR)
        second = sentry.pull(NOW + DAY)
        assert asked(sentry, "deploys") == [quote("checkout@1.1", safe="")] and asked(sentry, "commits") == []
        assert sentry.ids(second, "deploys") == ["3", str(again)], "the deploy to staging is listed beside it"
        rows = {row[0]: row[1:] for row in sentry.deploys("external_id, version, finished_at, first_commit_at")}
        assert len(rows) == 7 and rows["4"][0] == rows[str(again)][0] == "checkout@1.1"
        assert rows[str(again)] == ("checkout@1.1", plain(NOW + HOUR), None), "its commits were live before"
        assert rows["4"][2] == plain(NOW - 20 * DAY)


def test_a_release_of_long_ago_that_is_brought_out_again_is_seen_on_the_pages_that_are_read(tmp_path: Path) -> None:
    here = Organization()
    here.release("old", NOW - 200 * DAY)
    here.release("never", NOW - 190 * DAY)
    here.deploy("old", NOW - 199 * DAY)
    with site(here, tmp_path, commits=False) as sentry:
        assert sentry.ids(sentry.pull(), "deploys") == ["1"]
        assert len(sentry.server.log) == 2
        here.deploy("never", NOW + HOUR)
        here.deploy("old", NOW + 2 * HOUR)
        assert sentry.ids(sentry.pull(NOW + DAY), "deploys") == ["2", "3"]
        assert sentry.ids(sentry.pull(NOW + 2 * DAY), "deploys") == [] and len(sentry.server.log) == 1


def test_glitchtip_names_no_newest_deploy(tmp_path: Path) -> None:
    """Their number is what changes. It keeps all of them; no finish is given, and the date of the release is none."""
    here = Organization(flavour="glitchtip")
    here.release("v1", NOW - 5 * DAY, dateReleased="2026-09-30T00:00:00Z")
    here.deploy("v1", NOW - 4 * DAY)
    here.deploy("v1", NOW - 3 * DAY, dateStarted="2026-09-28T05:00:00Z", dateFinished="2026-09-28T05:30:00Z")
    with site(here, tmp_path) as sentry:
        sentry.pull()
        here.deploy("v1", NOW + HOUR)
        second = sentry.pull(NOW + DAY)
        assert sentry.ids(second, "deploys") == ["1", "2", "3"]
        assert sentry.deploys("external_id, finished_at, finished_precision, status") == [
            ("1", plain(NOW - 4 * DAY), "interval", "success"),
            ("2", plain(datetime(2026, 9, 28, 5, 30, tzinfo=UTC)), "exact", "success"),
            ("3", plain(NOW + HOUR), "interval", "success"),
        ]


def test_a_version_is_one_segment_of_the_path(tmp_path: Path) -> None:
    """Trap: `a/b@1+2` that is not encoded is another address, which is answered with 404."""
    here = Organization()
    names = ["a/b@1+2", "größe 3#4?", "100%25", "../x"]
    for place, name in enumerate(names):
        here.release(name, NOW - DAY + place * MINUTE)
        here.deploy(name, NOW - HOUR)
        here.commits[name] = [commit("a" * 40, NOW - DAY, "x")]
    with site(here, tmp_path) as sentry:
        manifest = sentry.pull()
        assert {row["release"] for row in sentry.rows(manifest, "deploys")} == set(names)
        assert sentry.ids(manifest, "commits") == sorted(names) and counts(manifest) == {}
        assert releases_path("acme", "a/b@1+2", "deploys") == "/organizations/acme/releases/a%2Fb%401%2B2/deploys/"


def test_a_release_of_several_projects_is_a_deploy_of_each(tmp_path: Path) -> None:
    here = Organization()
    here.release("both", NOW - DAY, "web", "api")
    here.release("web-only", NOW - DAY, "web")
    here.deploy("both", NOW - HOUR)
    here.deploy("web-only", NOW - HOUR)
    with site(here, tmp_path, services={"web": ["Shop", "Search"]}) as sentry:
        sentry.pull()
        assert sentry.deploys("external_id, service, is_shared") == [
            ("1", "Search", True),
            ("1", "Shop", True),
            ("1", "api", True),
            ("2", "Search", True),
            ("2", "Shop", True),
        ]


def test_a_renamed_project_is_one_service(tmp_path: Path) -> None:
    """Its id stays. A release of long ago is not read again, and would else be one of a service that nobody deploys any more; what
    the configuration says of the old name still holds."""
    here = Organization()
    for version, at in (("old", NOW - 300 * DAY), ("new", NOW - DAY)):
        here.release(version, at, "shop", "api")
        here.deploy(version, at + HOUR)
    with site(here, tmp_path) as sentry:
        sentry.pull()
        here.releases[1]["projects"][0] |= {"slug": "store"}
        sentry.pull(NOW + DAY)
        assert sentry.deploys("external_id, service") == [(n, name) for n in "12" for name in ("api", "store")]
        sentry.configure(services={"shop": ["Shop"]})
        assert {row[0] for row in sentry.deploys("service")} == {"Shop", "api"}


@pytest.mark.parametrize("flavour", ["sentry", "glitchtip"])
@pytest.mark.parametrize("profile", ["token_expired", *slow("heavy")])
def test_faults_change_nothing(tmp_path: Path, profile: str, flavour: str) -> None:
    landed = []
    for name in ("none", profile):
        here = Organization(flavour=flavour)
        here.history(25)
        here.releases[5]["projects"] = []
        for number in range(190):
            here.release(f"search@{number}", NOW - 19 * DAY + number * HOUR)
        with site(here, tmp_path / name) as sentry:
            sentry.server.set_faults(name)
            manifest = sentry.pull()
            landed.append(
                {
                    stream: {row["id"]: row for row in sentry.rows(manifest, stream)}
                    for stream in ("releases", "deploys", "commits")
                }
            )
            assert counts(manifest).keys() <= {"releases_repeats"}
    assert landed[0] == landed[1] and len(landed[0]["deploys"]) == 50 and len(landed[0]["commits"]) == 25


steps = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["production", "staging", "prod-eu"])), max_size=8)


@given(before=steps, after=steps, flavour=st.sampled_from(["sentry", "glitchtip"]))
@settings(max_examples=5, deadline=None, derandomize=True, database=None)
def test_two_nights_have_what_one_has(
    tmp_path_factory: pytest.TempPathFactory, before: Any, after: Any, flavour: str
) -> None:
    """Every deploy that is listed after the second night is there, as a full pull has it; and those of the first night."""

    def post(here: Organization, calls: Any, at: datetime) -> None:
        for place, (number, environment) in enumerate(calls):
            here.deploy(f"v{number}", at + place * MINUTE, environment)

    rows = []
    for nights in (2, 1):
        here = Organization(flavour=flavour)
        for number in range(4):
            here.release(f"v{number}", NOW - (50 - 10 * number) * DAY)
            here.commits[f"v{number}"] = [commit("a" * 40, NOW - 60 * DAY, "x")]
        folder = tmp_path_factory.mktemp("site")
        with site(here, folder) as sentry:
            post(here, before, NOW - HOUR)
            first = set(sentry.ids(sentry.pull(), "deploys")) if nights == 2 else set()
            post(here, after, NOW + HOUR)
            sentry.pull(NOW + DAY)
            rows.append(
                (
                    first,
                    {row[0]: row for row in sentry.deploys("external_id, service, environment, version, finished_at")},
                )
            )
    (first, two), (_, one) = rows
    assert one.keys() | first == two.keys() and one.items() <= two.items()


# -- lead time ---------------------------------------------------------------------------------------------------------


def test_the_first_commit_is_the_earliest_of_the_release(tmp_path: Path) -> None:
    """Asked for once for each release in production; a release that gets commits later is asked again when it is deployed."""
    here = Organization()
    for version in ("v1", "v2", "v3"):
        here.release(version, NOW - 5 * DAY)
    shas = [f"{n:040x}" for n in range(150)]
    here.commits["v1"] = [commit(sha, NOW - 9 * DAY - n * HOUR, f"Change {n}\n\nWhy") for n, sha in enumerate(shas)]
    here.commits["v2"] = [commit(shas[0], NOW - 9 * DAY, "only in staging")]
    here.deploy("v1", NOW - 4 * DAY)
    here.deploy("v2", NOW - 4 * DAY, "staging")
    here.deploy("v3", NOW - 4 * DAY)
    with site(here, tmp_path) as sentry:
        manifest = sentry.pull()
        assert asked(sentry, "commits") == ["v1", "v1"], "two pages; v3 has no commits"
        found = {row[0]: row[1:] for row in sentry.deploys("external_id, first_commit_at, sha, texts")}
        assert found["1"][:2] == (plain(NOW - 9 * DAY - 149 * HOUR), shas[0]) and found["1"][2][1] == "Change 1"
        assert found["2"] == (None, shas[0], None) and found["3"] == (None, None, None)
        assert "Why" not in str(sentry.rows(manifest, "commits"))
        here.commits["v3"] = [commit("b" * 40, NOW, "late")]
        here.deploy("v3", NOW + HOUR)
        sentry.pull(NOW + DAY)
        assert asked(sentry, "commits") == ["v3"]


def test_glitchtip_gives_no_dates_of_commits(tmp_path: Path) -> None:
    here = Organization(flavour="glitchtip")
    here.release("f" * 40, NOW - DAY)
    here.commits["f" * 40] = [commit("a" * 40, NOW - 2 * DAY, "Change")]
    here.deploy("f" * 40, NOW - HOUR)
    with site(here, tmp_path) as sentry:
        sentry.pull()
        assert sentry.deploys("sha, first_commit_at, texts") == [("f" * 40, None, ["Change"])]


def test_commits_can_be_switched_off(tmp_path: Path) -> None:
    here = Organization()
    here.history(3)
    with site(here, tmp_path, commits=False) as sentry:
        sentry.pull()
        assert asked(sentry, "commits") == []


def test_production_is_what_the_configuration_says(tmp_path: Path) -> None:
    """Another meaning of an environment reads the history again: its commits were not read."""
    here = Organization()
    here.history(2)
    with site(here, tmp_path, environment={"production": "other"}) as sentry:
        sentry.pull()
        assert asked(sentry, "commits") == []
        sentry.configure()
        assert sentry.pull(NOW + DAY).plan["mode"] == "backfill" and len(asked(sentry, "commits")) == 2


# -- what cannot be read -----------------------------------------------------------------------------------------------


def test_a_server_that_lists_no_deploys_is_asked_once(tmp_path: Path) -> None:
    """It is a finding, said by doctor, and the deploys are read when the server can: also those of releases of long ago."""
    here = Organization(flavour="glitchtip", lists_deploys=False)
    here.history(3)
    here.release("old", NOW - 300 * DAY)
    here.deploy("old", NOW - 299 * DAY)
    with site(here, tmp_path, connections=1) as sentry:
        manifest = sentry.pull()
        assert manifest.status == "complete" and counts(manifest) == {"release_deploys_not_readable": 4}
        assert len(asked(sentry, "deploys")) == 1 and sentry.ids(manifest, "deploys") == []
        second = sentry.pull(NOW + DAY)
        assert counts(second) == {"release_deploys_not_readable": 4} and len(asked(sentry, "deploys")) == 1
        source = build_source("sentry", sentry.settings)
        assert "but not their deploys (status 404)" in source.check()
        source.close()
        here.simulator.lists_deploys = True
        third = sentry.pull(NOW + 2 * DAY)
        assert len(sentry.ids(third, "deploys")) == 7 and counts(third) == {}
        assert sentry.ids(sentry.pull(NOW + 3 * DAY), "deploys") == []


def test_a_release_that_is_deleted_meanwhile_is_no_finding(tmp_path: Path) -> None:
    here = Organization()
    here.history(3)
    with site(here, tmp_path, commits=False) as sentry:
        sentry.server.set_faults((Rule("status", attempts=None, argument=404, path="1.1/"),))
        manifest = sentry.pull()
        assert counts(manifest) == {} and len(sentry.ids(manifest, "deploys")) == 4


def test_commits_that_the_token_may_not_read_cost_lead_times_only(tmp_path: Path) -> None:
    here = Organization()
    here.history(3)
    with site(here, tmp_path, connections=1) as sentry:
        sentry.server.set_faults((Rule("status", attempts=None, argument=403, path="/commits/"),))
        manifest = sentry.pull()
        assert counts(manifest) == {"releases_without_readable_commits": 3} and len(asked(sentry, "commits")) == 1
        assert len(sentry.deploys()) == 6


def test_a_pull_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    """What was landed is not asked for again."""
    here = Organization()
    here.history(60)
    with site(here, tmp_path, commits=False, connections=1, max_wait_minutes=0.01) as sentry:
        sentry.server.set_faults((Rule("status", attempts=None, argument=500, path="1.9/deploys"),))
        with pytest.raises(Exception, match="500"):
            sentry.pull()
        sentry.server.set_faults("none")
        manifest = sentry.pull()
        assert len(sentry.ids(manifest, "deploys")) == 120 and len(asked(sentry, "deploys")) == 10
        assert not any(line.path.endswith("/acme/releases/") for line in sentry.server.log)


# -- access ------------------------------------------------------------------------------------------------------------


def test_doctor_says_what_it_found(tmp_path: Path) -> None:
    here = Organization()
    with site(here, tmp_path) as sentry:
        source = build_source("sentry", sentry.settings)
        assert source.check().endswith("no releases of acme") and len(sentry.server.log) == 1
        here.history(1)
        sentry.server.clear_log()
        assert source.check().endswith("releases of acme and their deploys")
        assert [line.query for line in sentry.server.log] == ["per_page=1", "per_page=1"]
        here.simulator.scopes = ("org:read",)
        assert "SENTRY_AUTH_TOKEN the scopes org:read and project:releases" in source.check()
        source.close()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"scopes": ("event:read",)}, "status 403.*scopes org:read and project:releases"),
        ({"organization": "other"}, "status 404.*check SENTRY_ORG and SENTRY_URL"),
        ({"token": "another"}, "status 401.*check SENTRY_AUTH_TOKEN"),
    ],
)
def test_refusals_are_sentences(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    here = Organization()
    with site(here, tmp_path) as sentry:
        for name, value in change.items():
            setattr(here.simulator, name, value)
        with pytest.raises(PermanentError, match=told):
            sentry.pull()


def test_a_redirect_to_another_region_is_not_followed(tmp_path: Path) -> None:
    """The token would go with it."""
    here = Organization()
    region = "https://us.sentry.example/api/0/organizations/acme/releases/"

    def moved(request: Request, now: datetime) -> Response:
        return Response(302, b"", {"Location": region})

    here.simulator.handle = moved  # type: ignore[method-assign]
    with site(here, tmp_path) as sentry:
        with pytest.raises(PermanentError, match=r"us\.sentry\.example.*set SENTRY_URL to the final address"):
            sentry.pull()
        assert len(sentry.server.log) == 1


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"SENTRY_ORG": "acme"}, "SENTRY_ORG is set but SENTRY_AUTH_TOKEN is not"),
        ({"SENTRY_ORG": "Acme Inc.", "SENTRY_AUTH_TOKEN": "t"}, "write the slug of the organization"),
        ({"SENTRY_ORG": "acme", "SENTRY_AUTH_TOKEN": "t", "SENTRY_URL": "x"}, "SENTRY_URL must be an address"),
    ],
)
def test_wrong_variables_are_sentences(tmp_path: Path, environment: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        settings_for(tmp_path, {}, environment)


def test_a_token_of_the_command_line_alone_switches_nothing_on(tmp_path: Path) -> None:
    assert not settings_for(tmp_path, {}, {"SENTRY_AUTH_TOKEN": "t"}).enabled


def test_the_rate_limit_is_obeyed(tmp_path: Path) -> None:
    """Its headers have names of their own. Who does not read them runs into refusals."""
    here = Organization()
    here.history(12)
    with site(here, tmp_path, limits={"sentry": Limit(5, 1.0)}, commits=False, connections=1) as sentry:
        assert len(sentry.ids(sentry.pull(), "deploys")) == 24
        assert [line.status for line in sentry.server.log if line.status != 200] == []


def test_headers_of_the_rate_limit_are_read_by_their_beginning() -> None:
    soon = str(datetime.now(UTC).timestamp() + 30)
    headers = {"x-sentry-rate-limit-remaining": "0", "x-sentry-rate-limit-reset": soon}
    remaining, wait = allowance(headers, named="x-sentry-rate-limit")
    assert remaining == 0 and wait is not None and 20 < wait <= 30 and allowance(headers) == (None, None)
    wait = retry_after(headers, throttled=True, named="x-sentry-rate-limit")
    assert wait is not None and 20 < wait <= 30 and retry_after(headers, throttled=True) is None


# -- odd records -------------------------------------------------------------------------------------------------------

RELEASE = {
    "version": "v1",
    "shortVersion": "v1",
    "url": None,
    "dateCreated": "2026-09-30T00:00:00Z",
    "dateReleased": None,
    "deployCount": 1,
    "lastDeploy": {"id": "1"},
    "lastCommit": {"id": "a" * 40},
    "projects": [{"slug": "checkout", "name": "Checkout"}],
}


@pytest.mark.parametrize(
    ("stream", "record"),
    [
        ("releases", {"id": "v1", "record": RELEASE}),
        ("deploys", {"id": "1", "release": "v1", "record": deploy(1, NOW)}),
        ("commits", {"id": "v1", "commits": [{"id": "a" * 40, "title": "x", "dateCreated": "2026-09-30T00:00:00Z"}]}),
    ],
)
def test_odd_records_harm_no_other(tmp_path: Path, stream: str, record: dict[str, Any]) -> None:
    assert odd_record_problems(SOURCE, stream, record, tmp_path) == []


ODD: list[Any] = [None, 7, -1e300, True, "", "text", [], {}, [[1]], {"a": {"b": [1]}}]


def test_odd_members_of_the_answers_harm_no_other(tmp_path: Path) -> None:
    """Over HTTP, since the pull itself reads them: each member of a release, a deploy and a commit with values of other types."""
    here = Organization()
    here.history(2)
    extra: dict[str, dict[str, Any]] = {}
    for place, (name, value) in enumerate((n, v) for n in RELEASE for v in ODD):
        here.release(f"odd{place}", NOW - DAY)
        here.deploy(f"odd{place}", NOW - HOUR)
        extra[f"odd{place}"] = {name: value}
    names = [n for n in deploy(1, NOW) if n != "environment"]
    for place, (name, value) in enumerate((n, v) for n in names for v in ODD):
        here.deploy("checkout@1.1", NOW - HOUR, f"env{place}", **{name: value})
    for value in ODD:
        here.commits["checkout@1.0"] += [
            {**commit("b" * 40, NOW, "x"), name: value} for name in ("id", "message", "dateCreated")
        ]
    whole = here.simulator._page

    def odd(request: Request, rows: list[Any]) -> Response:
        return whole(request, [{**row, **extra.get(row.get("version"), {})} for row in rows])

    here.simulator._page = odd  # type: ignore[method-assign]
    with site(here, tmp_path) as sentry:
        manifest = sentry.pull()
        assert manifest.status == "complete"
        found = {row[0]: row[1] for row in sentry.deploys("external_id, first_commit_at")}
        assert {"1", "2", "3", "4"} <= found.keys() and found["2"] == plain(NOW - 20 * DAY - HOUR)
