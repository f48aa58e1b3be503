import numpy as np

from agent.stages.wiping import wipe


def test_every_array_is_filled_with_zeros_in_place() -> None:
    arrays = [np.ones(3), np.full((2, 2), 7, np.uint8)]
    wipe(*arrays)
    assert not any(array.any() for array in arrays)


def test_what_may_not_be_written_is_left() -> None:
    constant = np.ones(3)
    constant.flags.writeable = False
    wipe(constant)
    assert constant.all()
