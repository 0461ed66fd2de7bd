/*
description = """How many sessions of a release crashed, one row per service and release that had sessions in production, against the release before
it. A verdict is that of a test: q below 0.05, over all releases that are compared. With fewer than 100 sessions of one of the two there is
none."""
published = true
python = "mttr_pipeline.metrics.release_health:compute"
depends = ["figures.release_sessions"]
not_null = ["service", "version", "sessions", "crashed", "crash_free_pct"]
unique = [["service", "version"]]

[assert]
crashed_are_sessions = "crashed BETWEEN 0 AND sessions"
limits_are_ordered = "crash_free_low_pct <= crash_free_pct + 1e-9 AND crash_free_pct <= crash_free_high_pct + 1e-9"
known_verdict = "verdict IN ('better', 'worse', 'no clear change')"
verdict_needs_sessions = "verdict IS NULL OR coalesce(sessions >= 100 AND sessions_before >= 100, false)"

[columns]
service = "service, `unknown` where nothing says it"
version = "version, without the package before an @"
released_at = "when production ran it first, else the first day with sessions of it; NULL when unknown. UTC"
sessions = "sessions"
crashed = "those that crashed"
crash_free_pct = "sessions that did not crash / sessions, in percent"
crash_free_low_pct = "lower 95 % limit (Wilson)"
crash_free_high_pct = "upper 95 % limit (Wilson)"
version_before = "the release before it; NULL for the first one, and where the order is unknown"
sessions_before = "sessions of that one"
crash_free_before_pct = "crash-free sessions of that one, in percent"
crash_ratio = "share of crashed sessions / that of the release before; NULL where that one had no crash, or one has fewer than 100 sessions"
crash_ratio_low = "lower 95 % limit"
crash_ratio_high = "upper 95 % limit; NULL where it does not exist"
p = "p of equal shares: exact, conditional on all crashes of both (Przyborowski and Wilenski); NULL with fewer than 100 sessions of one"
q = "p adjusted for all releases that are compared (Benjamini-Hochberg)"
verdict = "worse or better where q is below 0.05, else no clear change; NULL with fewer than 100 sessions of one of the two"
*/
SELECT
    r.service,
    r.version,
    make_timestamptz(epoch_us(r.released_at)) AS released_at,
    r.sessions,
    r.crashed,
    100.0 * (r.sessions - r.crashed) / r.sessions AS crash_free_pct,
    100 * wilson_low(r.sessions - r.crashed, r.sessions) AS crash_free_low_pct,
    100 * wilson_high(r.sessions - r.crashed, r.sessions) AS crash_free_high_pct,
    b.version AS version_before,
    b.sessions AS sessions_before,
    100.0 * (b.sessions - b.crashed) / b.sessions AS crash_free_before_pct,
    CASE WHEN isfinite(c.ratio) THEN c.ratio END AS crash_ratio,
    CASE WHEN isfinite(c.ratio_low) THEN c.ratio_low END AS crash_ratio_low,
    CASE WHEN isfinite(c.ratio_high) THEN c.ratio_high END AS crash_ratio_high,
    CASE WHEN isfinite(c.p) THEN c.p END AS p,
    CASE WHEN isfinite(c.q) THEN c.q END AS q,
    CASE
        WHEN c.q IS NULL OR NOT isfinite(c.q) THEN NULL
        WHEN c.q >= 0.05 THEN 'no clear change'
        WHEN r.crashed * b.sessions::HUGEINT > b.crashed * r.sessions::HUGEINT THEN 'worse'
        ELSE 'better'
    END AS verdict
FROM figures.release_sessions AS r
LEFT JOIN figures.release_sessions AS b ON b.row_no = r.before_no
LEFT JOIN computed AS c ON c.row_no = r.row_no
ORDER BY r.service, r.released_at NULLS FIRST, r.version
