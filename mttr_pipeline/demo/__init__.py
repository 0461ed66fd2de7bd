"""Simulated vendors and a generated company history, for `mttr demo` and the tests.

    world = World(seed=1, until=datetime(2026, 10, 1, tzinfo=UTC))
    with VendorServer(world, faults="light") as server:
        os.environ.update(server.env())
        deliver(world, inbox, server.now)    # what nobody can ask for
        ...                                  # pull, compute
        server.now += timedelta(days=1)      # time passes at the vendors
        world.truth(server.now)              # what the pipeline must find

Each folder but `kit` is one vendor: it declares itself in `__init__.py` and holds the module that renders facts into the
vendor's objects and the modules that serve them; `stories` in one is what only that vendor tells of. `company`, `facts`,
`stories`, `linked`, `deploys`, `deploy_stories`, `late_changes`, `reviews`, `world`, `truth` and `true_incidents` make the
history; `server`, `faults` and `profiles` serve it over HTTP; `deliveries` sends what is only sent; `registry` finds the vendors.
None of them names a vendor.

Names are imported when they are first used, so that `profiles` can be imported without the rest.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mttr_pipeline.demo.deliveries import deliver
    from mttr_pipeline.demo.deploy_stories import WEEKLY
    from mttr_pipeline.demo.kit.limits import Limit
    from mttr_pipeline.demo.linked import LINKED
    from mttr_pipeline.demo.registry import DEMO, DOCUMENTED
    from mttr_pipeline.demo.reviews import REVIEWED
    from mttr_pipeline.demo.server import VendorServer
    from mttr_pipeline.demo.truth import Truth
    from mttr_pipeline.demo.world import World

__all__ = ["DEMO", "DOCUMENTED", "LINKED", "REVIEWED", "WEEKLY", "Limit", "Truth", "VendorServer", "World", "deliver"]

_MODULES = {
    "DEMO": "registry",
    "DOCUMENTED": "registry",
    "LINKED": "linked",
    "REVIEWED": "reviews",
    "Limit": "kit.limits",
    "Truth": "truth",
    "VendorServer": "server",
    "WEEKLY": "deploy_stories",
    "World": "world",
    "deliver": "deliveries",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
