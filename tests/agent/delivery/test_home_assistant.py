"""What Home Assistant is told: status, in words and topics that every broker takes."""

from __future__ import annotations

import json
import re

from agent.delivery.home_assistant import discovery

TOPICS = "bodycam/spd.north/cam-7"


def announced(topics: str = TOPICS) -> dict[str, dict[str, object]]:
    return {
        topic: json.loads(payload) for topic, payload in discovery(topics, "0.4.0", 60.0).items()
    }


def test_status_sensors_only() -> None:
    found = announced()
    assert {topic.split("/")[3] for topic in found} == {
        "state", "armed", "outbox", "disk", "list_age",
    }  # fmt: skip
    read = {str(tree["state_topic"]) for tree in found.values()}
    assert read == {f"{TOPICS}/state", f"{TOPICS}/health"}, "nothing of alerts"
    assert {tree["availability_topic"] for tree in found.values()} == {f"{TOPICS}/state"}
    assert not re.search("face|track|match|subject", json.dumps(found))


def test_within_the_limits_of_topics() -> None:
    longest = f"{'p' * 64}/{'a' * 64}/{'d' * 64}"
    for topic, tree in announced(longest).items():
        assert len(topic.encode()) <= 300
        assert topic.count("/") == 4
        assert re.fullmatch(r"[A-Za-z0-9_/-]+", topic)
        assert len(json.dumps(tree)) < 2000


def test_names_that_become_alike_stay_apart() -> None:
    one, other = announced("bodycam/a.b/c"), announced("bodycam/a_b/c")
    assert not one.keys() & other.keys()
    ids = [tree["unique_id"] for tree in (*one.values(), *other.values())]
    assert len(set(ids)) == len(ids)
