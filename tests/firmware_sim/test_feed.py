import threading

from firmware_sim.feed import Feed
from firmware_sim.player import StreamPart

ONE, TWO, THREE = (StreamPart(bytes([i]), i) for i in range(3))


def test_the_newest_wins_for_each_viewer():
    feed = Feed(threading.Event(), lockstep=False)
    slow, quick = feed.join(), feed.join()
    assert feed.publish(ONE)
    assert quick.next() == ONE
    quick.sent()
    feed.publish(TWO)
    feed.publish(THREE)
    assert slow.next() == THREE
    assert quick.next() == THREE
    quick.sent()
    slow.sent()
    feed.finish()
    assert slow.next() is None
    assert feed.snapshot() == THREE
    assert feed.state() == {"state": "over", "frames": 3, "viewers": 2}


def test_in_lockstep_nothing_is_missed():
    feed = Feed(threading.Event(), lockstep=True)
    viewer = feed.join()
    assert feed.join() is None
    player = threading.Thread(target=lambda: [*map(feed.publish, (ONE, TWO, THREE)), feed.finish()])
    player.start()
    got = []
    while (part := viewer.next()) is not None:
        got.append(part)
        viewer.sent()
    player.join(5)
    assert got == [ONE, TWO, THREE]


def test_in_lockstep_a_part_that_was_not_sent_waits_for_the_next_viewer():
    feed = Feed(threading.Event(), lockstep=True)
    player = threading.Thread(target=feed.publish, args=(ONE,))
    player.start()
    first = feed.join()
    assert first.next() == ONE
    first.leave()
    second = feed.join()
    assert second.next() == ONE
    second.sent()
    player.join(5)
    assert not player.is_alive()


def test_a_stop_ends_all_waiting():
    stop = threading.Event()
    stop.set()
    feed = Feed(stop, lockstep=True)
    assert not feed.wait_for_viewer()
    viewer = feed.join()
    assert viewer.next() is None
    assert not feed.publish(ONE)
    feed.wait_for_farewell(None)
    assert viewer.cut_off


def test_the_farewell_is_bounded():
    feed = Feed(threading.Event(), lockstep=False)
    feed.join()
    feed.wait_for_farewell(0.2)
    assert feed.state()["viewers"] == 1
