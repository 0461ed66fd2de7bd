"""Told, not looked up: what goes wrong in a night reaches a person.

    note(con, ...)       keep what the tables of a run say, before they are published: then a crash loses no message
    note_failure(...)    keep that a run or a check failed
    tell(...)            send to every place what it was not told yet
    tell_failure(...)    the last two, whatever the state of the data directory; also of checks that failed beside a night
    test(...)            one message to every place

A condition is told once when it begins and once when it is over. A place that cannot be reached hears it after a later run; a crash
between telling and keeping repeats a message. Whoever runs something at night (`defs`, `cli`, later others) calls these.

What belongs here: conditions in words, places, what was told. What does not: when a condition holds (the tables), and the file of
what was told (`told`, which the tables read too).
"""

from mttr_pipeline.alerts.conditions import CONDITIONS, RUN, Condition
from mttr_pipeline.alerts.messages import Message
from mttr_pipeline.alerts.places import Place, places_of
from mttr_pipeline.alerts.telling import Answer, Digest, Failure, note, note_failure, tell, tell_failure, test

__all__ = [
    "CONDITIONS",
    "RUN",
    "Answer",
    "Condition",
    "Digest",
    "Failure",
    "Message",
    "Place",
    "note",
    "note_failure",
    "places_of",
    "tell",
    "tell_failure",
    "test",
]
