"""Scores of made-up truths and messages: each rule by an example that breaks it."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from firmware_sim.score.bounds import shortfalls
from firmware_sim.score.html import as_html
from firmware_sim.score.received import EVENT_FIELDS, MATCH_FIELDS
from firmware_sim.score.scoring import score
from firmware_sim.score.table import as_table
from firmware_sim.story.format import Expect

START = 1_800_000_000.0
FPS = 10
REPORT = {"alerts": {"raised": 1}, "tracks": 3, "subjects": 2}


def person(name: str = "p01", entry: str = "E-1", **fields: Any) -> dict[str, Any]:
    plain = {
        "name": name, "who": name, "entry": entry, "box": [0, 0, 40, 50], "landmarks": [],
        "visible": 1.0, "distance_m": 3.0, "width_px": 40.0, "yaw_deg": 0.0,
    }  # fmt: skip
    return {**plain, **fields}


def truth(*frames: list[dict[str, Any]], **head: Any) -> list[dict[str, Any]]:
    """A head and a frame for each tenth of a second."""
    first = {
        "format": "bodycam.truth.v1", "story": "made-up", "width": 1280, "height": 720, "fps": FPS,
        "frames": len(frames), "identities": 2, "entries": {"E-1": "p01"}, **head,
    }  # fmt: skip
    lines = [
        {
            "frame": number,
            "at_us": number * 100_000,
            "passing": sorted({one["name"] for one in people}),
            "people": people,
        }
        for number, people in enumerate(frames)
    ]
    return [first, *lines]


def alert(at_s: float, entry: str = "E-1", *, id_: str = "A", **more: Any) -> dict[str, Any]:
    moment = datetime.fromtimestamp(START + at_s, timezone.utc)
    data = {"entry": entry, "subject": "S", "similarity": 0.6}
    payload = {
        "id": id_, "type": more.get("type", "bodycam.match.v1"),
        "time": moment.isoformat().replace("+00:00", "Z"), "data": {**data, **more.get("data", {})},
    }  # fmt: skip
    received = START + at_s + more.get("after_s", 0.1)
    return {"topic": "bodycam/a/c/match", "received_at": received, "payload": payload}


def scored(frames: list[dict[str, Any]], *messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return score(frames, list(messages), start_at=START, **more)


SEEN = [[person()]] * 20
"""He is there for two seconds."""


def test_an_alert_while_he_is_there_is_a_find() -> None:
    made = scored(truth(*SEEN), alert(1.0))
    (row,) = made["appearances"]
    assert (made["found"], made["missed"]) == (1, 0)
    assert row["time_to_alert_s"] == pytest.approx(1.0)
    assert row["frames_to_alert"] == 11
    assert row["distance_m"] == 3.0
    assert made["false_alerts"]["count"] == 0


def test_no_alert_is_a_miss() -> None:
    made = scored(truth(*SEEN))
    assert (made["found"], made["missed"]) == (0, 1)
    assert made["time_to_alert_s"] is None


@pytest.mark.parametrize("message", [alert(1.0, "E-2"), alert(9.0)])
def test_naming_who_is_not_there_is_false_and_a_breach(message: dict[str, Any]) -> None:
    frames = [*SEEN, *[[person("p02", "")]] * 80]
    made = scored(truth(*frames), message)
    assert made["false_alerts"]["count"] == 1
    assert made["false_alerts"]["per_hour"] == pytest.approx(360)
    assert made["false_alerts"]["per_subject"] == 1.0
    assert made["breaches"]["count"] == 1
    assert made["missed"] == 1


def test_time_counts_from_when_the_face_is_wide_enough() -> None:
    coming = [[person(width_px=10.0 + n)] for n in range(40)]
    (row,) = scored(truth(*coming), alert(3.0))["appearances"]
    assert row["time_to_alert_s"] == pytest.approx(3.0 - 2.2)
    assert row["after_first_sight_s"] == pytest.approx(3.0)


@pytest.mark.parametrize("gone", [{"visible": 0.2}, {"yaw_deg": 65.0}])
def test_hidden_and_turned_faces_are_not_there(gone: dict[str, Any]) -> None:
    frames = [*SEEN, *[[person(**gone)]] * 30, *SEEN]
    made = scored(truth(*frames), alert(1.0))
    assert [row["found"] for row in made["appearances"]] == [True, False]


def test_a_short_gap_is_the_same_appearance() -> None:
    frames = [*SEEN, *[[]] * 10, *SEEN]
    assert len(scored(truth(*frames))["appearances"]) == 1


def test_the_second_appearance_is_found_by_an_update() -> None:
    frames = [*SEEN, *[[]] * 30, *SEEN]
    update = alert(6.0, id_="B", type="bodycam.match.update.v1")
    made = scored(truth(*frames), alert(1.0), update)
    assert [row["found"] for row in made["appearances"]] == [True, True]
    assert made["appearances"][1]["update"] is True


def test_one_alert_is_no_find_of_two_appearances() -> None:
    frames = [*SEEN, *[[]] * 21, *SEEN]
    late = alert(2.9)
    made = scored(truth(*frames), late)
    assert [row["found"] for row in made["appearances"]] == [True, False]


def test_after_his_removal_he_is_nobody_and_an_alert_is_false() -> None:
    frames = [*SEEN, *[[]] * 30, *SEEN]
    head = {"removed": {"E-1": 3_000_000}}
    quiet = scored(truth(*frames, **head), alert(1.0))
    assert (quiet["found"], quiet["missed"], quiet["false_alerts"]["count"]) == (1, 0, 0)
    loud = scored(truth(*frames, **head), alert(1.0), alert(6.0, id_="B"))
    assert loud["false_alerts"]["count"] == 1


def test_a_clock_that_was_set_does_not_confuse() -> None:
    frames = [*SEEN, *[[]] * 30, *SEEN]
    head = {"clock": [[3_000_000, 600_000_000]]}
    made = scored(truth(*frames, **head), alert(1.0), alert(606.0, id_="B"))
    assert (made["found"], made["false_alerts"]["count"]) == (2, 0)


def test_copies_count_once_and_what_never_came_is_lost() -> None:
    report = {**REPORT, "alerts": {"raised": 3}}
    made = scored(truth(*SEEN), alert(1.0), alert(1.0), alert(1.5, id_="B"), report=report)
    counts = {"received": 3, "distinct": 2, "first": 2, "raised": 3, "lost": 1, "late": None}
    assert made["alerts"] == counts


def test_late_is_late_in_real_time_only() -> None:
    message = alert(1.0, after_s=8.0)
    assert scored(truth(*SEEN), message, late_s=5.0)["alerts"]["late"] == 1
    assert scored(truth(*SEEN), message, late_s=9.0)["alerts"]["late"] == 0


@pytest.mark.parametrize(
    ("message", "what"),
    [
        (alert(1.0, data={"crowd": 7}), "crowd"),
        (alert(1.0, data={"shots": [0.1] * 128}), "128 numbers"),
        (alert(1.0, data={"notice": "A" * 900}), "900 characters"),
        ({"topic": "bodycam/a/c/faces", "received_at": START, "payload": {}}, "faces"),
        (
            {"topic": "bodycam/a/c/match", "received_at": START, "payload": {"type": "x"}},
            "neither",
        ),
    ],
)
def test_what_has_no_business_in_a_message_is_a_breach(message: dict[str, Any], what: str) -> None:
    made = scored(truth(*SEEN), message)
    assert made["breaches"]["count"] == 1
    assert what in made["breaches"]["what"][0]


def test_the_score_knows_the_fields_of_the_public_format() -> None:
    text = Path(__file__).resolve().parents[3] / "agent/docs/schemas/match.schema.json"
    schema = json.loads(text.read_text())
    assert set(schema["properties"]) == EVENT_FIELDS
    assert set(schema["$defs"]["MatchData"]["properties"]) == MATCH_FIELDS


def test_evidence_may_be_long() -> None:
    message = alert(1.0, data={"evidence": {"media_type": "image/jpeg", "data": "A" * 5000}})
    assert scored(truth(*SEEN), message)["breaches"]["count"] == 0


def test_tracks_are_shared_among_those_a_detector_had_to_find() -> None:
    far = person("p03", "", width_px=12.0)
    frames = [[person(), person("p02", ""), far]] * 20
    assert scored(truth(*frames), alert(1.0), report=REPORT)["tracks_per_person"] == 1.5
    assert scored(truth(*frames), alert(1.0), report=REPORT)["subjects_per_person"] == 1.0


def test_recall_is_told_by_distance_and_width() -> None:
    frames = [[person(), person("far", "E-2", distance_m=7.5, width_px=15.0)]] * 20
    made = scored(truth(*frames), alert(1.0))
    assert made["recall_by_distance_m"] == [
        {"from": 3, "to": 4, "appearances": 1, "found": 1},
        {"from": 7, "to": 8, "appearances": 1, "found": 0},
    ]
    assert [row["found"] for row in made["recall_by_width_px"]] == [0, 1]


def test_whoever_is_found_near_was_not_found_far() -> None:
    coming = [[person(distance_m=4.5 - n / 10, width_px=20.0 + 2 * n)] for n in range(40)]
    made = scored(truth(*coming), alert(2.0))
    by_distance = {row["from"]: row["found"] for row in made["recall_by_distance_m"]}
    assert by_distance == {0: 1, 1: 1, 2: 1, 3: 0, 4: 0}
    by_width = {row["from"]: row["found"] for row in made["recall_by_width_px"]}
    assert by_width == {16: 0, 24: 0, 32: 0, 48: 1, 64: 1, 96: 1}


def test_states_are_told_once_each() -> None:
    def state(**payload: Any) -> dict[str, Any]:
        return {"topic": "bodycam/a/c/state", "received_at": START, "payload": payload}

    armed = state(online=True, state="armed")
    made = scored(truth(*SEEN), armed, armed, state(online=False, state="off"))
    assert made["states"] == ["armed", "offline"]


GOOD = Expect(found_at_least=1, time_to_alert_s_at_most=2, distance_m_at_least=2, states=())


def test_a_score_as_expected_falls_short_of_nothing() -> None:
    assert shortfalls(GOOD, scored(truth(*SEEN), alert(1.0), report=REPORT)) == []


@pytest.mark.parametrize(
    ("bound", "problem"),
    [
        ({"found_at_least": 2}, "1 appearances found, at least 2"),
        ({"time_to_alert_s_at_most": 0.5}, "1 s to the alert"),
        ({"distance_m_at_least": 3.5}, "3 m away"),
        ({"tracks_per_person_at_most": 2.5}, "3 tracks per person"),
        ({"first_alerts_at_most": 0}, "1 first alerts, at most 0"),
        ({"found_at_most": 0}, "1 appearances found, at most 0"),
        ({"states": ("disarmed",)}, "never told that it is disarmed"),
    ],
)
def test_whatever_is_worse_is_said(bound: dict[str, Any], problem: str) -> None:
    made = scored(truth(*SEEN), alert(1.0), report=REPORT)
    (said,) = shortfalls(GOOD.model_copy(update=bound), made)
    assert problem in said


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([], "1 appearances missed"),
        ([alert(1.0), alert(1.0, "E-9", id_="B")], "1 false alerts"),
        ([alert(1.0, data={"crowd": 3})], "1 privacy breaches"),
    ],
)
def test_a_worse_agent_fails(messages: list[dict[str, Any]], problem: str) -> None:
    made = scored(truth(*SEEN), *messages, report={**REPORT, "alerts": {"raised": 0}})
    assert any(problem in said for said in shortfalls(GOOD, made))


def test_table_and_page_tell_the_same() -> None:
    frames = [[person(), person("p02", "E-2")]] * 20
    made = scored(truth(*frames), alert(1.0), alert(1.0, "E<9>", id_="B"), report=REPORT)
    table, page = as_table(made), as_html(made)
    for part in ("MISSED", "1 of 2 appearances"):
        assert part in table
        assert part in page
    for part in ('class="wrong"', 'class="missed"', "E&lt;9&gt;"):
        assert part in page
    drawings = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    kinds = [{shape.tag for shape in ET.fromstring(text)} for text in drawings]
    assert kinds == [{"text", "rect", "line"}, {"rect", "text"}, {"rect", "text"}]
    assert "E<9>" not in page
    assert "http" not in page


def test_a_page_about_nobody_has_no_plots() -> None:
    page = as_html(scored(truth(*[[]] * 10)))
    assert page.count("No listed person appears") == 2


@pytest.mark.parametrize("by_s", [600, -600, 86_400, -86_400])
def test_a_clock_set_back_in_the_middle_moves_no_alert_out_of_its_appearance(by_s: int) -> None:
    shifts = [[1_000_000, by_s * 1_000_000]]
    before, after = alert(0.5, id_="A"), alert(1.5 + by_s, id_="B", after_s=0.1 - by_s)
    made = scored(truth(*SEEN, clock=shifts), before, after)
    assert made["false_alerts"]["count"] == 0
    assert made["appearances"][0]["alert_s"] == 0.5


def test_a_clock_may_be_set_forwards_and_back() -> None:
    shifts = [[500_000, 600_000_000], [1_000_000, -600_000_000]]
    times = [("A", 0.2, 0.0), ("B", 600.7, -600.0), ("C", 1.5, 0.0)]
    got = [alert(at, id_=name, after_s=0.1 + more) for name, at, more in times]
    made = scored(truth(*SEEN, clock=shifts), *got)
    assert made["false_alerts"]["count"] == 0


def told(at_s: float, state: str) -> dict[str, Any]:
    online = state != "offline"
    payload = {"state": state, "online": online}
    return {"topic": "bodycam/a/c/state", "received_at": START + at_s, "payload": payload}


@pytest.mark.parametrize(
    ("states", "took"),
    [
        ([(0, "armed")], 0.0),
        ([(0, "armed"), (0.4, "degraded"), (0.8, "armed")], 0.0),
        ([(0, "armed"), (0.4, "degraded"), (1.5, "armed")], 0.5),
        ([(0, "armed"), (1.1, "degraded"), (1.2, "armed"), (1.4, "armed")], 0.2),
        ([(0, "armed"), (0.4, "degraded"), (2.5, "armed")], None),
        ([(0, "armed"), (1.4, "offline")], None),
        ([(0, "armed"), (1.95, "disarmed")], 0.0),  # switched off after the last frame
        ([], None),
    ],
)
def test_recovery_counts_from_the_last_event_to_the_word_that_all_is_well(states, took) -> None:
    made = scored(truth(*SEEN, over=1_000_000), *(told(*one) for one in states))
    assert made["recovery_s"] == took
    expect = Expect(found_at_least=0, missed_at_most=9, recovers_within_s=0.3)
    problems = {None: ["the device never told again that it is armed and well"],
                0.5: ["0.5 s to recover, at most 0.3 expected"]}  # fmt: skip
    assert shortfalls(expect, made) == problems.get(took, [])


def test_without_events_there_is_nothing_to_recover_from() -> None:
    assert scored(truth(*SEEN), told(0, "armed"))["recovery_s"] is None
