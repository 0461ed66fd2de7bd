"""The people, teams and services of the demonstration company, and how long its incidents usually take.

Larkspur sells garden things online. It owns Fernway, a courier with a delivery and a warehouse team, and an IT desk. Each
service is watched by one tool, so no incident is recorded twice. All names are made up.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who answers pages."""

    handle: str
    name: str

    @property
    def email(self) -> str:
        """An address that can never exist (RFC 2606)."""
        return f"{self.handle}@example.com"


@dataclass(frozen=True, slots=True)
class Service:
    """A service, its team, the tool that watches it, its share of the incidents, and what usually breaks."""

    name: str
    team: str
    tool: str
    weight: float
    troubles: tuple[str, ...]

    @property
    def slug(self) -> str:
        """The name in keys and tags."""
        return self.name.lower().replace(" ", "-")


PEOPLE = (
    Person("ana", "Ana Diaz"),
    Person("wei", "Wei Chen"),
    Person("fatima", "Fatima Noor"),
    Person("jonas", "Jonas Lindqvist"),
    Person("priya", "Priya Raman"),
    Person("tomas", "Tomás Ferreira"),
    Person("hana", "Hana Sato"),
    Person("oleg", "Oleg Marchenko"),
)
PEOPLE_BY_HANDLE = {person.handle: person for person in PEOPLE}

#: Who is on call in each team.
TEAMS: dict[str, tuple[str, ...]] = {
    "Storefront": ("ana", "wei", "hana"),
    "Payments": ("fatima", "jonas"),
    "Platform": ("priya", "wei", "jonas"),
    "Fernway Delivery": ("tomas", "oleg"),
    "Fernway Warehouse": ("tomas", "fatima"),
    "IT Desk": ("hana", "oleg", "priya"),
}

SERVICES = (
    Service("Checkout", "Storefront", "pagerduty", 5, ("latency above 2 s", "5xx rate above 3 %", "baskets are lost")),
    Service("Search", "Storefront", "pagerduty", 4, ("index is stale", "p99 latency above 4 s", "zero results spike")),
    Service("Catalogue", "Storefront", "pagerduty", 2, ("images return 404", "price feed is late", "cache stampede")),
    Service("Payments", "Payments", "pagerduty", 4, ("card authorisations fail", "refund queue grows", "3-D Secure")),
    Service("Accounts", "Platform", "pagerduty", 2, ("logins fail", "token service slow", "password mails delayed")),
    Service("Notifications", "Platform", "pagerduty", 2, ("mail queue depth", "push delivery below 90 %", "SMS late")),
    Service("Route Planner", "Fernway Delivery", "opsgenie", 3, ("solver timeouts", "map tiles missing", "no plan")),
    Service("Driver App", "Fernway Delivery", "opsgenie", 3, ("crash rate above 1 %", "sync backlog", "login loop")),
    Service("Parcel Tracking", "Fernway Delivery", "opsgenie", 2, ("events are late", "scanner gateway down", "lag")),
    Service("Sorting Line", "Fernway Warehouse", "jsm", 3, ("belt stopped", "scan rate below 90 %", "misroutes")),
    Service("Label Printing", "Fernway Warehouse", "jsm", 2, ("queue is stuck", "labels unreadable", "no paper")),
    Service("Identity", "IT Desk", "jira", 3, ("single sign-on fails", "MFA codes do not arrive", "directory sync")),
    Service("Office Network", "IT Desk", "jira", 2, ("VPN drops", "Wi-Fi on floor 2", "DNS slow", "printer queue")),
    Service("Payroll", "IT Desk", "jira-dc", 1, ("payslips missing", "export stuck", "wrong tax table")),
)
SERVICES_BY_NAME = {service.name: service for service in SERVICES}

#: Where users are, where it is not called production; and a region that nobody told the pipeline about.
ENVIRONMENTS = {"Search": "live", "Driver App": "prod"}
SECOND_REGION = {"Payments": "prod-eu"}
#: Services that one release brings out together: its first, and the others.
TOGETHER = {"Sorting Line": ("Label Printing",)}


def as_written(service: str, identity: str) -> str:
    """The name of a service where people type it: one alert in eight has another spelling.

    `identity` is that of the record, so that a record is always written the same way.
    """
    spellings = (service.lower(), service.replace(" ", "-"), service.upper(), service.lower().replace(" ", "_"))
    number = sum(map(ord, identity))
    return service if number % 8 else spellings[number // 8 % len(spellings)]


#: Mean minutes per severity: acknowledgement, investigation, mitigation, final resolution.
PHASE_MINUTES: dict[str, tuple[float, float, float, float]] = {
    "SEV1": (4, 18, 15, 13),
    "SEV2": (7, 36, 30, 25),
    "SEV3": (15, 70, 50, 45),
    "SEV4": (40, 180, 120, 120),
}
SEVERITY_WEIGHTS = {"SEV1": 0.06, "SEV2": 0.19, "SEV3": 0.49, "SEV4": 0.26}

#: Relative arrival rates by hour and weekday: most changes are made in office hours.
HOUR_WEIGHTS = (2, 2, 2, 2, 2, 3, 4, 5, 8, 10, 11, 11, 9, 10, 11, 10, 9, 7, 6, 5, 4, 4, 3, 2)
WEEKDAY_WEIGHTS = (10, 11, 11, 10, 8, 4, 4)

CAUSES = (
    "connection pool exhausted after the 14:00 deploy",
    "expired certificate on the internal gateway",
    "a slow query without an index",
    "feature flag rolled out to everyone",
    "disk full on the primary",
    "upstream provider throttles us",
    "memory leak in the worker",
    "wrong DNS record after the migration",
)
REMEDIES = (
    "rolled back to the last release",
    "failed over to the standby",
    "flag switched off",
    "added capacity",
    "traffic drained from zone b",
    "restarted the workers",
)
#: Notes that contain the words of a statement but state nothing: the pipeline must not read them as one.
CHATTER = (
    "Not sure this is really mitigated: error rate still wobbles",
    "We have not found the root cause found: see the thread",
    "Customer support asks for an update",
    "Is it mitigated? Checking dashboards 👀",
    "Joining the bridge now",
)
#: Titles that break naive text handling: emoji, right-to-left text, line breaks, quotes, markup.
ODD_TITLES = (
    "🔥 {service}: {trouble} 🔥",
    "{service}: القائمة فارغة ({trouble})",
    "{service}: השירות איטי, {trouble}",
    '{service}: "{trouble}"\nsecond line <b>bold</b> & more',
    "{service} — {trouble} 💳✅❌",
)
