from __future__ import annotations

import threading

import numpy as np

from agent.runtime.mailbox import Mailbox
from agent.values import Frame, Monotonic, Wall


def frame(seq: int) -> Frame:
    return Frame(np.zeros((2, 2, 3), np.uint8), seq, Monotonic(float(seq)), Wall(float(seq)))


def test_live_keeps_the_newest_frame_and_counts_the_displaced() -> None:
    box: Mailbox[str] = Mailbox(live=True)
    for seq in range(3):
        assert box.put(frame(seq))
    got = box.take(0)
    assert got.frame is not None
    assert got.frame.seq == 2
    assert box.dropped == 2
    assert box.take(0).frame is None


def test_a_file_loses_nothing_and_keeps_order() -> None:
    box: Mailbox[str] = Mailbox(live=False)

    def feed() -> None:
        for seq in range(50):
            box.put(frame(seq))
        box.end()

    writer = threading.Thread(target=feed)
    writer.start()
    seen = []
    while not (got := box.take(5)).ended:
        if got.frame is not None:
            seen.append(got.frame.seq)
    writer.join(5)
    assert seen == list(range(50))
    assert box.dropped == 0


def test_messages_come_before_the_next_frame_and_in_order() -> None:
    box: Mailbox[str] = Mailbox(live=True)
    box.put(frame(0))
    box.post("a")
    box.post("b")
    got = box.take(0)
    assert got.messages == ("a", "b")
    assert got.frame is not None
    assert not got.ended


def test_the_end_is_told_only_after_the_last_frame() -> None:
    box: Mailbox[str] = Mailbox(live=False)
    box.put(frame(0))
    box.end()
    first, second = box.take(0), box.take(0)
    assert first.frame is not None
    assert not first.ended
    assert second.frame is None
    assert second.ended


def test_close_frees_a_blocked_writer() -> None:
    box: Mailbox[str] = Mailbox(live=False)
    box.put(frame(0))
    results: list[bool] = []
    writer = threading.Thread(target=lambda: results.append(box.put(frame(1))))
    writer.start()
    box.close()
    writer.join(5)
    assert results == [False]
    assert box.take(0).frame is None
    assert box.put(frame(2)) is False


def seen_frame(seq: int) -> Frame:
    return Frame(np.full((2, 2, 3), 9, np.uint8), seq, Monotonic(float(seq)), Wall(float(seq)))


def test_a_frame_that_nobody_will_look_at_is_overwritten() -> None:
    box: Mailbox[str] = Mailbox(live=True)
    displaced, left, late = (seen_frame(seq) for seq in range(3))
    box.put(displaced)
    box.put(left)
    assert (displaced.image.any(), left.image.any()) == (False, True)
    box.close()
    assert not box.put(late)
    assert not left.image.any()
    assert not late.image.any()
