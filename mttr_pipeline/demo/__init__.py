"""Vendor simulators and a generated company history, for `mttr demo` and the tests.

    world = World(seed=1, until=datetime(2026, 10, 1, tzinfo=UTC))
    with VendorServer(world, faults="light") as server:
        os.environ.update(server.env())
        ...                                  # pull, compute
        server.now += timedelta(days=1)      # the world moves on
        world.truth(server.now)              # what the pipeline must find

`world` and its neighbours (`company`, `stories`, `facts`, `truth`) know no vendor; each vendor has a module that
renders facts into its objects (`*_records`) and one that serves them; `server`, `limits` and `faults` know no vendor
either.
"""

from mttr_pipeline.demo.jira import JiraSimulator
from mttr_pipeline.demo.jsm import JsmSimulator
from mttr_pipeline.demo.limits import DEMO, DOCUMENTED, Limit
from mttr_pipeline.demo.opsgenie import OpsgenieSimulator
from mttr_pipeline.demo.pagerduty import PagerDutySimulator
from mttr_pipeline.demo.server import VendorServer
from mttr_pipeline.demo.truth import Truth
from mttr_pipeline.demo.world import World

__all__ = [
    "DEMO",
    "DOCUMENTED",
    "JiraSimulator",
    "JsmSimulator",
    "Limit",
    "OpsgenieSimulator",
    "PagerDutySimulator",
    "Truth",
    "VendorServer",
    "World",
]
