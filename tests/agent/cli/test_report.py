"""The accountability report: what it must say, and what must not be in it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

from agent.adapters.audit_log import AuditLog
from agent.adapters.fpir_file import FpirFile
from agent.app.accountability import CHANGES
from agent.app.charts import bars, curve
from agent.app.models import manifest
from agent.app.report_words import CHANGED, ENDED, MEASURED, REFUSED, hours, two_figures
from agent.errors import DataError, MissingFileError, RefusedError, UsageError
from agent.messages.accountability import HubReport
from agent.messages.control import ControlReply
from agent.policy import FIELD_TEST
from agent.policy.documents import read_policy
from agent.policy.fpir_monitor import FpirCounts
from agent.policy.states import DISARMING
from tests.agent.cli.test_audit import anchors_file
from tests.support.auditing import key_of
from tests.support.commands import Commands
from tests.support.policies import policy_text

UNKNOWN = SimpleNamespace(sign_key=bytes.fromhex(key_of().public.hex()), agency="example-pd")
DAYS = ("--from", "2027-01-15", "--to", "2027-01-17")
HOUR = 3600.0
PLANTED = {
    "reason": "PLANTEDreason about Erika",
    "authorisation": "PLANTED-authorisation",
    "activation": "PLANTED-activation",
    "event": "PLANTED-event",
    "uid": 424242,
}


def planted(*names, **fields):
    return {name: PLANTED[name] for name in names} | fields


def embedder():
    return manifest().card("embedder", "int8")


@pytest.fixture
def agent(tmp_path, capsys):
    """Armed for two and a half hours on the first day, killed on the second."""
    agent = Commands(tmp_path / "state", capsys)
    log, clock = agent.context().audit(), agent.clock
    detector = manifest().card("detector", "fp32").sha256
    log.append("start", version="0.1.0", session=1, config="1" * 64)
    log.append("models", detector=detector, embedder=embedder().sha256)
    log.append("list", list="L-1", version=7, templates=300, subjects=250, sha256="2" * 64)
    arm = planted("reason", "authorisation", "activation", "uid", list="L-1", version=7)
    log.append("arm", **arm, policy=FIELD_TEST.sha256())
    clock.advance(1.5 * HOUR)
    log.append("alert", **planted("event", "activation", "authorisation"))
    log.append("alert", **planted("event", "activation", "authorisation"))
    log.append("alert", match=PLANTED["event"], **planted("activation", "authorisation"))
    log.append("refusal", what="list", **planted("reason", "authorisation", "uid"))
    clock.advance(HOUR)
    log.append("disarm", subjects=1200, cause="area", **planted("activation", "reason", "uid"))
    log.append("command", command="sync", counter=1, signer="ab", **planted("reason"))
    log.append("identify", images=3, faces=9, matches=1, authorisation=PLANTED["authorisation"])
    log.append("authorise", what="revoked", **planted("authorisation"))
    log.append("authorise", what="loaded", **planted("authorisation"))
    clock.advance(24 * HOUR)
    log.append("arm", **arm)
    clock.advance(0.5 * HOUR)
    log.checkpoint(key_of(device="PLANTED-device"))
    clock.advance(5 * HOUR)
    log.append("start", version="0.2.0", session=2, config="1" * 64)
    return agent


def hub_file(path, **changes):
    tree = {
        "agency": "example-pd", "first": "2027-01-15", "last": "2027-01-17",
        "made": "2027-02-01T00:00:00.000Z", "alerts": 12, "updates": 3, "test_alerts": 1,
        "gaps": 0, "confirmed": 8, "rejected": 2, "pending": 2, "lapsed": 0, "purged": 0,
        "by_day": [], "refused": {}, "holds": 0, "forks": 0, "log_records": 0, "log_head": None,
    }  # fmt: skip
    path.write_text(HubReport.model_validate(tree | changes).model_dump_json())
    return path


def test_what_it_says(agent):
    told = agent("report", *DAYS, "--json").json
    assert told["versions"] == ["0.1.0", "0.2.0"]
    assert told["use"]["hours_armed"] == 3.0
    assert (told["use"]["uses"], told["use"]["cut_short"]) == (2, 1)
    assert [(one["day"], one["hours"]) for one in told["use"]["by_day"]] == [
        ("2027-01-15", 2.5), ("2027-01-16", 0.5),
    ]  # fmt: skip
    assert told["subjects"] == {"about": 1200, "uses_without": 1}
    assert (told["alerts"], told["updates"], told["refusals"]) == (2, 1, {"list": 1})
    assert (told["use"]["ended"], told["revoked"]) == ({"area": 1}, 1)
    assert told["searches"] == {"faces": 9, "images": 3, "matches": 1, "uses": 1}
    assert told["lists"] == [
        {"list": "L-1", "version": 7, "templates": 300, "subjects": 250, "sha256": "2" * 64}
    ]
    (policy,) = told["policies"]
    assert (policy["sha256"], policy["uses"]) == (FIELD_TEST.sha256(), 2)
    assert (policy["first"], policy["last"]) == ("2027-01-15", "2027-01-16")
    assert policy["rules"]["name"] == "field-test"
    network = next(one for one in told["networks"] if one["role"] == "embedder")
    assert network["measured"] == embedder().measured
    assert len(network["curve"]) == len(embedder().curve)
    assert any("not representative" in line for line in told["limits"])
    assert any("31 days" in line for line in told["retention"])
    log = agent.context().audit().verify()
    assert told["logs"] == [
        {"records": log.records, "head": log.head.hash, "signed_records": log.protected + 1,
         "anchored": False},
    ]  # fmt: skip
    assert told["reviews"] is None


def test_reviews_come_from_the_hub_with_intervals(agent, tmp_path):
    hub = hub_file(tmp_path / "hub.json")
    reviews = agent("report", *DAYS, "--hub", hub, "--json").json["reviews"]
    assert (reviews["confirmed"], reviews["rejected"], reviews["pending"]) == (8, 2, 2)
    assert reviews["false_share"] == 0.2
    assert reviews["false_share_low"] == pytest.approx(0.0567, abs=1e-4)  # Wilson, 2 of 10
    assert reviews["false_share_high"] == pytest.approx(0.5098, abs=1e-4)
    assert reviews["false_per_1000"] == 1.7  # people are counted in tens
    assert 0.2 < reviews["false_per_1000_low"] < 0.6
    assert 5 < reviews["false_per_1000_high"] < 7
    nobody = hub_file(tmp_path / "none.json", confirmed=0, rejected=0, pending=12)
    reviews = agent("report", *DAYS, "--hub", nobody, "--json").json["reviews"]
    assert reviews["false_share"] is None
    assert reviews["false_per_1000"] == 0.0


SEEN = "01HZX0000000000000000000AA"


def counted(agent, tracks, crossed="", **counts):
    kept = FpirCounts(tracks, raised=((SEEN, 3), ("01HZX0000000000000000000AB", 9)), **counts)
    FpirFile(agent.state_dir / "fpir.json").save(kept, crossed)


def test_what_the_monitor_of_false_alerts_says(agent, tmp_path):
    words = (*DAYS, "--set", "monitor.fragmentation=1.5", "--json")
    quiet = agent("report", *words).json["monitor"]
    assert (quiet["stops"], quiet["resets"], quiet["now"]["stopped"]) == (0, 0, False)
    counted(agent, 301, confirmed=(SEEN,), rejected=(15,))
    now = agent("report", *words).json["monitor"]["now"]
    assert now == {
        "subjects": 200, "rejected": 1, "confirmed": 1, "pending": 1,
        "target": 0.001, "alarm": 0.003, "errors": [0.05, 0.05], "evidence": 0.7,
        "bound": 2.944, "kept": 0, "fragmentation": 1.5, "stopped": False,
    }  # fmt: skip
    counted(agent, 302, "too many false alerts", rejected=(1, 2, 3))
    log = agent.context().audit()
    log.append("disarm", cause="fpir")
    log.append("command", command="reset-monitor", counter=4, signer="ab")
    told = agent("report", *words).json["monitor"]
    assert (told["stops"], told["resets"], told["now"]["stopped"]) == (1, 1, True)
    assert told["now"]["evidence"] >= told["now"]["bound"]
    page = tmp_path / "page.html"
    said = agent("report", *DAYS, "--html", page)
    assert "Has stopped matching</td><td>yes" in page.read_text()
    assert SEEN not in page.read_text() + said.out


def test_one_passer_by_more_does_not_show_in_the_monitor(agent):
    told = []
    for tracks in (196, 197):
        counted(agent, tracks, rejected=(tracks - 1,))
        told.append(agent("report", *DAYS, "--json").json["monitor"])
    assert told[0] == told[1]


def test_counts_that_cannot_be_read_count_as_a_stop(agent):
    (agent.state_dir / "fpir.json").write_text("{")
    (agent.state_dir / "fpir.json").chmod(0o600)
    now = agent("report", *DAYS, "--json").json["monitor"]["now"]
    assert (now["stopped"], now["evidence"]) == (True, None)


def test_of_copied_logs_the_monitor_is_not_known(agent, tmp_path, capsys):
    copy = agent.context().audit().path.parent
    elsewhere = Commands(tmp_path / "none", capsys)
    assert elsewhere("report", *DAYS, "--folder", copy, "--json").json["monitor"]["now"] is None


def test_what_was_deleted_before_a_review_is_told_apart(agent, tmp_path):
    hub = hub_file(tmp_path / "hub.json", pending=1, lapsed=1, purged=4)
    page = tmp_path / "page.html"
    reviews = agent("report", *DAYS, "--hub", hub, "--html", page, "--json").json["reviews"]
    assert (reviews["pending"], reviews["lapsed"], reviews["purged"]) == (1, 1, 4)
    text = page.read_text()
    assert "Not reviewed yet</td><td>1<" in text
    assert "Deleted before anybody reviewed them</td><td>1<" in text
    assert "Alerts raised by the cameras</td><td>2<" in text
    assert "Updates of these, while somebody stayed in view</td><td>1<" in text


def test_a_hubs_report_of_other_days_or_another_file_is_refused(agent, tmp_path):
    other = hub_file(tmp_path / "hub.json", last="2027-01-31")
    with pytest.raises(UsageError, match="make one of the same days"):
        agent("report", *DAYS, "--hub", other)
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(DataError, match="not a report of"):
        agent("report", *DAYS, "--hub", tmp_path / "x.json")


def everything(agent, tmp_path):
    """What is published, as one text for each file."""
    hub = hub_file(tmp_path / "hub.json")
    words = (*DAYS, "--hub", hub)
    page, tree = tmp_path / "report.html", tmp_path / "report.json"
    agent("report", *words, "--html", page, "--out", tree)
    return [page.read_text(), tree.read_text(), agent("report", *words).out]


def test_nothing_in_it_is_about_a_person(agent, tmp_path):
    raw = b"\n".join(agent.context().audit().lines()).decode()
    assert all(str(value) in raw for value in PLANTED.values())  # the search finds what is there
    for text in everything(agent, tmp_path):
        assert "PLANTED" not in text
        assert "424242" not in text
        assert "camera-1" not in text  # whose camera it is
        assert not re.search(r"\d\d:\d\d:\d\d", text.replace(made(text), ""))  # days, no hours


def made(text):
    found = re.search(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    return found[0] if found else "-"


class Strict(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.loads = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.loads += [value for name, value in attributes if name in ("src", "href", "srcset")]


def test_the_page_needs_nothing_else_and_has_its_plots(agent, tmp_path):
    page = everything(agent, tmp_path)[0]
    parser = Strict()
    parser.feed(page)
    assert parser.loads == []
    assert not {"script", "link", "img", "iframe", "object"} & set(parser.tags)
    assert "url(" not in page
    assert "default-src 'none'" in page
    assert parser.tags.count("svg") == 4  # hours, alerts, refusals, one curve
    for drawing in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ET.fromstring(drawing)
    assert "2.5 hours" in page
    assert "False alerts, of those reviewed</td><td>20.0% (95 % interval 5.7% to 51.0%)" in page


def test_the_page_speaks_to_the_public(agent, tmp_path):
    page = everything(agent, tmp_path)[0]
    for words in (
        "Ended by itself: outside the area</td><td>1<", "People who passed, about</td><td>1,200 (",
        "Refused: a list that the rules do not permit", "How often a list came into service",
        "Average precision of finding faces", "the share of comparisons of different people",
        "Revocations of an authorisation that reached a camera</td><td>1<",
    ):  # fmt: skip
        assert words in page, words
    for key in (*MEASURED, *REFUSED, *CHANGED):
        assert f"<td>{key}</td>" not in page
        assert f": {key}</td>" not in page


def test_every_word_of_the_program_has_one_for_the_public():
    assert set(ENDED) == DISARMING
    assert set(CHANGED) == set(CHANGES)
    cards = manifest().models
    assert {key for card in cards for key in card.measured} <= set(MEASURED)


def test_days_without_a_record_are_said_to_be_that(agent, tmp_path):
    page, quiet = tmp_path / "page.html", ("--from", "2027-06-01", "--to", "2027-06-02")
    agent("report", *quiet, "--html", page)
    assert "No camera has a record of these days." in page.read_text()
    assert "no record of these days" in agent("report", *quiet).out


def test_figures_are_no_finer_than_what_they_are_made_of():
    assert [two_figures(one) for one in (0.0, 133.333, 1.6667, 0.01234)] == [0, 130, 1.7, 0.012]
    assert [hours(*one) for one in ((0.0, 5), (0.0, 0), (1234.5, 9))] == [
        "less than 0.1", "0", "1,234.5",
    ]  # fmt: skip


def test_bars_are_as_high_as_their_values():
    drawing = ET.fromstring(bars("t", [("a", 2.0), ("b", 4.0), ("c", 0.0)], "x<y"))
    heights = [float(one.get("height")) for one in drawing.iter("rect")]
    assert heights[1] == pytest.approx(2 * heights[0], abs=0.1)
    assert heights[2] == 0.0
    assert ET.fromstring(bars("nothing", [("a", 0.0)], "n")) is not None


def test_a_curve_falls_and_marks_where_it_is_told():
    points = [(0.3, 1e-2), (0.4, 1e-4), (0.5, 1e-6)]
    drawing = ET.fromstring(curve("t", points, [0.4]))
    spots = [(float(c.get("cx")), float(c.get("cy"))) for c in drawing.iter("circle")]
    assert spots == sorted(spots)
    assert [y for _, y in spots] == sorted(y for _, y in spots)
    (mark,) = [one for one in drawing.iter("line") if one.get("class") == "mark"]
    assert float(mark.get("x1")) == pytest.approx(spots[1][0], abs=0.1)


def test_a_log_that_was_changed_is_not_reported_on(agent):
    path = agent.context().audit().path
    path.write_bytes(path.read_bytes().replace(b'"subjects":1200', b'"subjects":9200'))
    with pytest.raises(DataError, match="the audit log was changed: record"):
        agent("report", *DAYS)


def test_days_and_places(agent, tmp_path, capsys):
    with pytest.raises(UsageError, match="is after"):
        agent("report", "--from", "2027-02-01", "--to", "2027-01-01")
    with pytest.raises(UsageError, match="--to: not a day such as"):
        agent("report", "--from", "2027-02-01", "--to", "soon")
    with pytest.raises(MissingFileError, match="no audit log here"):
        Commands(tmp_path / "none", capsys)("report", *DAYS)
    quiet = agent("report", "--from", "2027-06-01", "--to", "2027-06-02", "--json").json
    assert (quiet["use"]["hours_armed"], quiet["alerts"]) == (0.0, 0)
    copy = agent.context().audit().path.parent
    elsewhere = Commands(tmp_path / "none", capsys)
    assert elsewhere("report", *DAYS, "--folder", copy, "--json").json["alerts"] == 2


def test_the_report_is_a_documented_format(agent):
    from agent.messages.accountability import AccountabilityReport

    text = agent("report", *DAYS, "--json").out
    assert json.loads(AccountabilityReport.model_validate_json(text).model_dump_json()) == (
        json.loads(text)
    )


def under_signed_rules(agent, text, *, now=1_800_400_000.0):
    """A policy came two days later, and the camera was armed under it once."""
    log, agent.clock.wall_now = agent.context().audit(), now
    log.append("policy", policy=hashlib.sha256(text).hexdigest(), version=1)
    log.append("arm", list="L-1", version=7, policy=hashlib.sha256(text).hexdigest())
    log.append("disarm", subjects=10)
    return ("report", "--from", "2027-01-15", "--to", "2027-01-31")


def test_every_policy_that_was_in_force_is_told_with_its_time(agent, tmp_path):
    text, path, page = policy_text(), tmp_path / "policy.yaml", tmp_path / "page.html"
    words = under_signed_rules(agent, text)
    path.write_bytes(text)
    first, second = agent(*words, "--policy", path, "--json").json["policies"]
    assert (first["first"], first["last"]) == ("2027-01-15", "2027-01-19")
    assert (second["first"], second["last"], second["uses"]) == ("2027-01-19", "2027-01-19", 1)
    assert second["sha256"] == hashlib.sha256(text).hexdigest()
    assert (first["rules"]["test"], second["rules"]["test"]) == (True, False)
    agent(*words, "--policy", path, "--html", page)
    assert "(in part a field test)" in page.read_text()
    assert "Policy field-test, version 1</h3>" in page.read_text()
    assert f"Policy {second['rules']['name']}, version 1</h3>" in page.read_text()
    days = ("report", "--from", "2027-01-20", "--to", "2027-01-21")
    assert agent(*days, "--json").json["policies"] == []  # nothing is known of these days


def test_without_the_text_of_a_policy_it_says_so(agent, tmp_path):
    page = tmp_path / "page.html"
    words = under_signed_rules(agent, policy_text())
    said = agent(*words, "--html", page).err
    assert "--policy FILE can give" in said
    assert "Its text was not at hand" in page.read_text()
    assert "as its policy of the time says" in page.read_text()
    assert agent(*words, "--json").json["policies"][1]["rules"] is None


def test_the_passphrase_opens_the_store_that_holds_the_policy(agent, tmp_path, monkeypatch):
    words, file = under_signed_rules(agent, policy_text()), tmp_path / "pass.txt"

    def rules(context):
        if context.passphrase_file != file:
            raise RefusedError("the store is locked")
        return SimpleNamespace(policy=read_policy(policy_text()))

    monkeypatch.setattr("agent.cli.report.rules_in_force", rules)
    said = agent(*words, "--json")
    assert "which --policy FILE can give: the store is locked" in said.err
    assert said.json["policies"][1]["rules"] is None
    told = agent(*words, "--passphrase-file", file, "--json").json
    assert told["policies"][1]["rules"]["test"] is False
    assert told["monitor"]["now"]["target"] == read_policy(policy_text()).target_fpir


def test_the_running_agent_tells_the_policy_of_a_locked_store(agent, tmp_path, monkeypatch):
    words, asked = under_signed_rules(agent, policy_text()), []

    def ask(path, request):
        asked.append((path.name, request.command))
        return ControlReply(ok=True, data={"policy": policy_text().decode()})

    monkeypatch.setattr("agent.cli.report.ask", ask)
    monkeypatch.setattr("agent.app.Context.provisioned", True)
    told = agent(*words, "--folder", agent.context().audit().path.parent, "--json").json
    assert (told["policies"][1]["rules"], asked) == (None, [])  # a copy is of another camera
    monkeypatch.setattr("agent.cli.report.read_identity", lambda _: UNKNOWN)
    told = agent(*words, "--json").json
    assert told["policies"][1]["sha256"] == hashlib.sha256(policy_text()).hexdigest()
    assert told["policies"][1]["rules"]["test"] is False
    assert asked == [("control.sock", "policy")]


def test_a_policy_that_was_not_in_force_is_refused(agent, tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_bytes(policy_text())
    with pytest.raises(DataError, match="was not in force in these days"):
        agent("report", *DAYS, "--policy", path)


def test_several_cameras_are_one_sum(agent, tmp_path, capsys):
    first = agent.context().audit().path.parent
    other = AuditLog(tmp_path / "other", agent.clock)
    agent.clock.wall_now = 1_800_000_000.0
    other.append("start", version="0.3.0", session=1)
    other.append("arm", list="L-2", version=1)
    agent.clock.advance(2 * HOUR)
    other.append("alert")
    other.append("refusal", what="list")
    other.append("disarm", subjects=30)
    words = ("report", *DAYS, "--folder", first, "--folder", other.path.parent, "--json")
    told = Commands(tmp_path / "none", capsys)(*words).json
    assert told["use"]["by_day"][0] == {
        "day": "2027-01-15", "hours": 4.5, "uses": 2, "alerts": 3, "refusals": 2,
    }  # fmt: skip
    assert (told["subjects"]["about"], told["refusals"]) == (1230, {"list": 2})
    assert [one["list"] for one in told["lists"]] == ["L-1", "L-2"]
    assert told["versions"] == ["0.1.0", "0.2.0", "0.3.0"]
    assert len(told["logs"]) == 2


def test_a_camera_counts_once(agent, tmp_path, capsys):
    first = agent.context().audit().path.parent
    elsewhere = Commands(tmp_path / "none", capsys)
    words = ("report", *DAYS, "--folder", first, "--folder")
    with pytest.raises(DataError, match="is a log of the same camera as"):
        elsewhere(*words, first)
    fork = shutil.copytree(first, tmp_path / "fork")
    AuditLog(fork, agent.clock).append("stop", reason="another end")
    AuditLog(fork, agent.clock).checkpoint(key_of(device="PLANTED-device"))
    with pytest.raises(DataError, match="the same one, an older copy or a fork"):
        elsewhere(*words, fork)
    unsigned = AuditLog(tmp_path / "unsigned", agent.clock)
    unsigned.append("start", version="0.1.0", session=1)
    shutil.copytree(unsigned.path.parent, tmp_path / "again")
    with pytest.raises(DataError, match="same camera"):
        elsewhere(
            "report", *DAYS, "--folder", tmp_path / "unsigned", "--folder", tmp_path / "again"
        )


def test_the_agency_is_that_of_the_logs(agent, tmp_path, capsys):
    first = agent.context().audit().path.parent
    elsewhere = Commands(tmp_path / "none", capsys)
    words = ("report", *DAYS, "--folder", first)
    assert elsewhere(*words, "--json").json["agency"] == "example-pd"
    hub = hub_file(tmp_path / "hub.json", agency="other-pd")
    with pytest.raises(DataError, match="is of other-pd, and the logs are of example-pd"):
        elsewhere(*words, "--hub", hub)
    other = AuditLog(tmp_path / "other", agent.clock)
    agent.clock.wall_now = 1_800_000_000.0
    other.append("provision", agency="other-pd", device="CAM-9")
    with pytest.raises(DataError, match="a report is of one agency"):
        elsewhere(*words, "--folder", other.path.parent)
    early = ("report", "--from", "2027-01-10", "--to", "2027-01-11", "--folder", first, "--json")
    assert elsewhere(*early).json["agency"] == "field-test"  # nothing tells


def test_an_emptied_log_is_not_reported_on(agent):
    agent.context().audit().path.write_bytes(b"")
    with pytest.raises(DataError, match="it was emptied"):
        agent("report", *DAYS)


def test_each_log_is_held_against_its_own_anchors(agent, tmp_path, capsys):
    log = agent.context().audit()
    anchors = anchors_file(log, tmp_path / "anchors.json", device="PLANTED-device")
    words = ("report", *DAYS, "--folder", log.path.parent, "--anchors", anchors, "--json")
    assert agent(*words).json["logs"][0]["anchored"] is True
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join(lines[:9]))
    with pytest.raises(DataError, match="of another camera than these logs"):
        agent(*words)
