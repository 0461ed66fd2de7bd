"""Failures that other people's extractors have met, and the test that shows that this one does not.

Collected from the issue trackers and the code of published extractors (Apache DevLake, Airbyte and Faros connectors, Singer
taps, Port Ocean, CloudQuery, pd2pg, pelorus, the vendors' own SDKs). `file::test`, without the `test_` of both; the tests
below that bear a number are those that stand nowhere else.

 1 PagerDuty's 400 beyond 10,000 rows ends the run      extract_pagerduty::seventeen_thousand_incidents_in_one_day_come_whole
 2 more than 10,000 incidents in one day                extract_pagerduty::seventeen_thousand_incidents_in_one_day_come_whole
 3 the ceiling is a warning and the run a success       extract_pagerduty::more_than_the_ceiling_in_one_second_stops_the_source
 4 two wordings of the ceiling, one of them known       failures_in_the_wild::04_both_wordings_of_the_ceiling_cut_the_window_up
 5 one page of 10,000 asked for, 100 given              extract_paging::pages_of_any_size_give_every_row_once
 6 an incident twice in a listing                       extract_paging::rows_that_stand_twice_on_a_page_push_nothing_out
 7 new records by creation only, later changes missed   late_changes::the_second_day_is_the_truth_and_a_full_pull_of_it
 8 the default window taken for everything              extract_pagerduty::every_request_speaks_utc_and_never_a_wide_window
   ... and the rest deleted as missing                      late_changes::an_empty_answer_is_not_believed
 9 a range of more than six months is silently empty    extract_pagerduty::every_request_speaks_utc_and_never_a_wide_window
10 a parameter that does not exist is silently ignored  extract_pagerduty::since_and_until_are_half_open
11 duplicates of the boundary second, unbounded look-back extract_pagerduty::since_and_until_are_half_open
12 state leaks into a full refresh                      extract_pagerduty::full_refresh_reads_everything_again
13 `more` is ignored                                    extract_pagerduty::the_first_pull_has_every_incident_and_log_entry
14 a failed page is swallowed       extract_pagerduty::a_pull_that_broke_off_continues_with_the_windows_that_are_missing
15 a priority that is null or has no name               poison::spoilt_records_harm_nobody_and_are_all_accounted_for
16 an optional object that is missing                   poison::spoilt_records_harm_nobody_and_are_all_accounted_for
17 a channel without a type, unknown log entries        staging_pagerduty::case
18 no acknowledgement: its time is "now" and grows      fold::case
19 first page of the log only       extract_pagerduty::a_change_of_an_incident_older_than_the_history_brings_its_whole_log
20 any change of the status taken for the resolve       end_to_end::every_stamp_is_the_truth
21 merged incidents counted as resolved ones            late_changes::the_second_day_is_the_truth_and_a_full_pull_of_it
22 an unknown status stops the run                      fold::case
23 the last update taken for the resolve                end_to_end::every_stamp_is_the_truth
24 analytics that are edited a day later                 (not read: stamps come from the log entries)
25 a read timeout of five seconds                       http::a_timeout_is_retried
   ... and none for the answer as a whole                   http::a_server_that_drips_is_given_up_in_time
26 5xx is not retried                                   http::passing_failures_are_retried_until_they_pass
27 400 is retried until the time is up                  http::refusals_are_not_retried_and_say_who_why_and_what_to_do
28 storms of 429                                        late_changes::bad_weather_on_both_days_changes_nothing
29 429 is never seen, the client raises before          http::a_429_stops_the_other_threads_too
30 Opsgenie's 422 beyond 20,000 rows                    extract_opsgenie::windows_are_split_before_the_ceiling
31 the offset is lost when links are followed           extract_opsgenie::the_first_pull_has_everything
32 an SDK that hides the rate limit headers             http::rate_limit_headers_of_all_vendors
33 a missing scope looks like wrong credentials         extract_jsm::a_missing_scope_is_named
34 logs paged by the wrong parameter: page one for ever extract_jsm::a_key_that_comes_back_is_an_error_and_no_endless_loop
35 Jira's 410 swallowed as an empty result              extract_jira::the_removed_search_names_the_change
36 startAt where only tokens work                       extract_jira::the_first_pull_has_every_incident_with_its_whole_history
37 a page token that repeats, an empty page with a token extract_jira::a_page_token_that_repeats_is_an_error
   ... and pages that come right when read again            late_changes::bad_weather_on_both_days_changes_nothing
38 only ids, because no fields were asked for           extract_jira::the_first_pull_has_every_incident_with_its_whole_history
39 dates read in the time zone of the user  failures_in_the_wild::39_and_40_dates_are_numbers_and_changes_have_no_upper_end
40 an upper end near now hides what changes always  failures_in_the_wild::39_and_40_dates_are_numbers_and_changes_have_no_upper_end
41 the newest update seen as the mark, a late index     late_changes::what_the_index_learns_late_is_found_the_next_night
42 the changelog in the issue is cut                    extract_jira::long_changelogs_are_whole
43 changelogs of several pages                          extract_jira::long_changelogs_are_whole
44 one unreadable project fails the whole query         extract_jira::a_query_that_names_an_unknown_project_says_what_to_check
45 deleted between list and detail                      extract_jira::an_issue_deleted_before_its_changelog_is_read_spoils_no_batch
   ... and at Opsgenie                                      late_changes::deleted_between_list_and_detail
46 dates of the year 51502                              poison::spoilt_records_harm_nobody_and_are_all_accounted_for
47 a slow server times out every time                   http::a_timeout_is_retried
48 a 400 of an overloaded server after hours of work    failures_in_the_wild::48_a_refusal_after_hours_of_work_loses_none_of_it
49 SLA fields in every shape                            staging_jira::case
50 line breaks and markup in titles                     end_to_end::every_stamp_is_the_truth
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest

from mttr_pipeline.demo import VendorServer, World
from mttr_pipeline.demo.jira import JiraSimulator
from mttr_pipeline.demo.kit.wire import Request, Response
from mttr_pipeline.demo.pagerduty import PagerDutyError, PagerDutySimulator
from mttr_pipeline.demo.profiles import Rule
from mttr_pipeline.errors import PermanentError
from mttr_pipeline.landing.manifest import Manifest
from mttr_pipeline.landing.store import Landing
from mttr_pipeline.sources.jira.issues import IssuePull
from mttr_pipeline.sources.pulling import build_source, pull
from mttr_pipeline.sources.registry import load_settings

NOW = datetime(2026, 10, 1, 6, tzinfo=UTC)


def pulled(server: VendorServer, folder: Path, name: str, run_id: str, now: datetime = NOW) -> Manifest:
    vendor = next(iter(server.simulators))
    settings = load_settings(server.env(vendor), data_dir=folder)
    source = build_source(name, settings)
    try:
        return pull(source, settings, Landing(folder / "landing"), run_id, as_of=now)
    finally:
        source.close()


def test_every_number_has_a_test() -> None:
    """The table above names tests that exist, for each of the fifty."""
    lines = re.findall(r"^(\d\d| \d|   \.\.\.) .+?(?:([a-z_]+)::(\w+)|\((not read.+)\))$", __doc__ or "", re.MULTILINE)
    assert [int(number) for number, *_ in lines if number.strip(" .")] == list(range(1, 51))
    for number, file, name, reason in lines:
        source = Path(__file__).with_name(f"test_{file}.py")
        assert reason or f"def test_{name}(" in source.read_text(encoding="utf-8"), (number, file, name)


WORDINGS = [
    "Offset+limit exceeds maximum allowed value of 10000. Please try to refine your search.",
    "Offset must be less than 10000.",
]


@pytest.mark.parametrize("wording", WORDINGS)
def test_04_both_wordings_of_the_ceiling_cut_the_window_up(tmp_path: Path, wording: str) -> None:
    """Also where the account gives no total to go by, so that the refusal is the first to tell."""
    rows = [
        {
            "id": f"Q{number:06d}",
            "type": "incident",
            "incident_number": number,
            "status": "resolved",
            "created_at": f"{NOW - timedelta(days=9) + number * timedelta(minutes=3):%Y-%m-%dT%H:%M:%SZ}",
        }
        for number in range(900)
    ]

    class Terse(PagerDutySimulator):
        """No totals, and a ceiling that a test can reach."""

        def handle(self, request: Request, now: datetime) -> Response:
            if int(request.one("offset") or 0) >= 300:
                return Response(400, PagerDutyError(400, 2002, "Arguments Caused Error", wording).body())
            request.query.pop("total", None)
            return super().handle(request, now)

    with VendorServer([Terse.from_records(rows)], clock=NOW, limits=None) as server:
        manifest = pulled(server, tmp_path, "pagerduty", "run-1")
    assert sum(file.records for file in manifest.files if file.stream == "incidents") >= len(rows)
    assert len([file for file in manifest.files if file.window.startswith("created")]) > 900 // 300


def test_39_and_40_dates_are_numbers_and_changes_have_no_upper_end(tmp_path: Path) -> None:
    """A quoted date is read in the user's zone; an issue that an SLA timer touches every minute is never below "now"."""
    world = World(3, NOW, days=30, volumes={"jira": 20})
    asked: list[str] = []
    with VendorServer([JiraSimulator.from_world(world)], clock=NOW, limits=None) as server:
        answer: Callable[..., Response] = server.simulators["jira"].handle

        class Heard:
            def __getattr__(self, name: str) -> Any:
                return getattr(simulator, name)

            def handle(self, request: Request, now: datetime) -> Response:
                if b'"jql"' in request.body:
                    asked.append(str(request.json()["jql"]))
                asked.extend(unquote_plus(text) for text in request.many("jql"))
                return answer(request, now)

        simulator = server.simulators["jira"]
        server.simulators["jira"] = Heard()  # type: ignore[assignment]
        pulled(server, tmp_path, "jira", "run-1")
        server.now += timedelta(days=1)
        pulled(server, tmp_path, "jira", "run-2", server.now)
    bounds = [bound for jql in asked for bound in re.findall(r"(created|updated) *(<=?|>=?) *(\S+)", jql)]
    assert bounds and all(re.fullmatch(r"\d{12,13}\)?", value) for *_, value in bounds), bounds
    assert {(field, sign) for field, sign, _ in bounds} == {("created", ">="), ("created", "<"), ("updated", ">=")}


def test_48_a_refusal_after_hours_of_work_loses_none_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """400 is not retried, because it says that the question is wrong; what was read by then is not read again."""
    monkeypatch.setattr(IssuePull, "issues_per_window", 5)
    world = World(3, NOW, days=30, volumes={"jira-dc": 40})
    with VendorServer([JiraSimulator.from_world(world, "dc")], clock=NOW, limits=None) as server:
        whole = pulled(server, tmp_path / "calm", "jira", "run-1")
        all_of_it = len(server.log)
        server.clear_log()
        server.set_faults((Rule("status", nth=all_of_it - 3, argument=400),))
        with pytest.raises(PermanentError, match="400"):
            pulled(server, tmp_path / "torn", "jira", "run-1")
        server.set_faults("none")
        server.clear_log()
        mended = pulled(server, tmp_path / "torn", "jira", "run-2")
        assert len(server.log) < all_of_it * 2 / 3
    assert mended.records == whole.records
