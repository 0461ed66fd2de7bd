"""Which records are one incident: the connected parts of the graph of links, with what keeps records apart.

What belongs here: the graph. What does not: which links count (`core.links`), what an incident made of several records says
(`core.golden`).
"""

from __future__ import annotations

from collections import defaultdict

import duckdb
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mttr_pipeline.metrics.observed import Columns, Flags, Integers, read

#: A larger group is a template, a weekly review or a storm, and no incident.
MOST_RECORDS = 20
LONGEST_US = 7 * 86_400_000_000

# How strong a link is; those up to MERGED stay when a group is too large or too long. core.links says what the words mean.
FLAP, CHOSEN, MERGED = 0, 1, 2
_STRENGTH = "list_position(['flap', 'chosen', 'merged', 'vendor', 'url', 'key', 'text', 'dedup'], kind) - 1"

_EDGES = f"""CREATE OR REPLACE TEMP TABLE link_edges AS
SELECT least(record_id, other) AS a, greatest(record_id, other) AS b, min({_STRENGTH})::BIGINT AS strength, min(apart_us) AS apart_us
FROM (
    SELECT record_id, other_record_id AS other, link_reason AS kind, apart_us FROM core.links
    WHERE why_not IS NULL AND NOT is_of_error
    UNION ALL
    SELECT s.record_id, root.record_id, 'flap', 0 FROM core.standalone AS s
    JOIN core.standalone AS root ON root.source = s.source AND root.external_id = s.flap_of AND root.episode = s.flap_of_episode
    UNION ALL
    SELECT s.record_id, root.record_id, 'merged', 0 FROM core.standalone AS s
    JOIN core.standalone AS root ON root.source = s.source AND root.external_id = s.duplicate_of_id AND root.episode = 1
)
WHERE record_id <> other
GROUP BY ALL"""
_NODES = """CREATE OR REPLACE TEMP TABLE link_nodes AS
SELECT s.record_id, s.source, s.external_id, row_number() OVER (ORDER BY s.record_id) - 1 AS no,
    s.flap_of IS NULL AND s.duplicate_of_id IS NULL AS counts, epoch_us(s.started_at) AS started_us
FROM core.standalone AS s
SEMI JOIN (SELECT a AS record_id FROM link_edges UNION ALL SELECT b FROM link_edges) AS e ON e.record_id = s.record_id"""
_REFUSED = """SELECT a.no AS a, b.no AS b FROM config.refusals AS r
JOIN link_nodes AS a ON a.source = r.source AND a.external_id = r.external_id
JOIN link_nodes AS b ON b.source = r.other_source AND b.external_id = r.other_external_id
WHERE a.no <> b.no"""


def compute(con: duckdb.DuckDBPyConnection) -> Columns:
    """The rows of `core.groups`: one per record that a link joins to another, whatever became of the link."""
    con.execute(_EDGES)
    con.execute(_NODES)
    try:
        nodes = read(con, "FROM link_nodes ORDER BY no")
        edges = read(
            con,
            """SELECT a.no AS a, b.no AS b, e.strength FROM link_edges AS e
            JOIN link_nodes AS a ON a.record_id = e.a JOIN link_nodes AS b ON b.record_id = e.b
            ORDER BY e.strength, e.apart_us, a.no, b.no""",
        )
        refused = read(con, _REFUSED)
    finally:
        con.execute("DROP TABLE IF EXISTS link_nodes; DROP TABLE IF EXISTS link_edges")
    group, linked, apart = joined(
        edges["a"], edges["b"], edges["strength"], (refused["a"], refused["b"]), nodes["counts"], nodes["started_us"]
    )
    return {"record_id": nodes["record_id"], "group_no": group, "linked_no": linked, "kept_apart": apart}


def joined(
    a: Integers,
    b: Integers,
    strength: Integers,
    refused: tuple[Integers, Integers],
    counts: Flags,
    started_us: Integers,
) -> tuple[Integers, Integers, npt.NDArray[np.object_]]:
    """Group of each node, the part of the graph it is in, and what keeps that part from being one group ('' where it is one).

    The links from node `a` to node `b` stand in the order in which they join. `counts` are the nodes that make a group large, and
    `started_us` when they began. `refused` are pairs that must not be in one group.
    """
    count = len(counts)
    linked = _parts(count, a, b)
    torn = np.unique(linked[refused[0]][linked[refused[0]] == linked[refused[1]]])
    followed = np.ones(len(a), dtype=np.bool_)
    doubtful = np.flatnonzero(np.isin(linked[a], torn))
    followed[doubtful] = _without_refused(a[doubtful], b[doubtful], strength[doubtful], refused)
    group = _parts(count, a[followed], b[followed])
    kept = followed & (strength <= MERGED)
    unlimited = _parts(count, a[kept], b[kept])
    size = np.bincount(group, weights=counts, minlength=count)
    first, last = np.full(count, np.iinfo(np.int64).max), np.full(count, np.iinfo(np.int64).min)
    np.minimum.at(first, group[counts], started_us[counts])
    np.maximum.at(last, group[counts], started_us[counts])
    large, long = size > MOST_RECORDS, (last > first) & (last - np.minimum(first, last) > LONGEST_US)
    joins_more = _joins_more(group, unlimited)
    apart = np.full(count, "", dtype=object)
    apart[np.isin(linked, torn)] = "refused"
    apart[long[group] & joins_more] = "long"
    apart[large[group] & joins_more] = "large"
    # Numbers of groups are below `count`: those of records that fall back to what they were come after them.
    group = np.where((large | long)[group], count + unlimited, group)
    return group, linked, apart


def _parts(count: int, a: Integers, b: Integers) -> Integers:
    """The connected part of each node."""
    graph = coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _joins_more(group: Integers, unlimited: Integers) -> Flags:
    """Of each node: whether its group has more than one of the parts that stay together in any case."""
    pairs = np.unique(np.stack([group, unlimited]), axis=1)
    return np.bincount(pairs[0], minlength=len(group) or 1)[group] > 1


def _without_refused(a: Integers, b: Integers, strength: Integers, refused: tuple[Integers, Integers]) -> Flags:
    """Which links are followed, taken in their order: not one that would bring a refused pair into one group."""
    parent: dict[int, int] = {}
    against: dict[int, set[int]] = defaultdict(set)  # of each root: the nodes that must not come in
    for one, other in zip(refused[0].tolist(), refused[1].tolist(), strict=True):
        against[one].add(other)
        against[other].add(one)

    def root(node: int) -> int:
        while (up := parent.setdefault(node, node)) != node:
            parent[node] = parent[up]
            node = up
        return node

    followed = np.ones(len(a), dtype=np.bool_)
    for place, (one, other, how) in enumerate(zip(a.tolist(), b.tolist(), strength.tolist(), strict=True)):
        kept, gone = root(one), root(other)
        if kept == gone:
            continue
        if len(against[kept]) < len(against[gone]):
            kept, gone = gone, kept
        if how != FLAP and any(root(node) == kept for node in against[gone]):
            followed[place] = False
            continue
        parent[gone] = kept
        against[kept] |= against.pop(gone)
    return followed
