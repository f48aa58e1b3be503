"""The threshold that a list asks for."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import DataError, RefusedError
from agent.stages.threshold import HIGHEST, largest_list, needed_fmr, threshold_for

CURVE = ((0.363, 1e-3), (0.424, 1e-4), (0.489, 1e-5), (0.560, 1e-6), (0.668, 1e-7))


@pytest.mark.parametrize(
    ("templates", "similarity", "extrapolated"),
    [
        (1, 0.363, False),
        (10, 0.424, False),
        (1_000, 0.560, False),
        (10_000, 0.668, False),
        (100_000, 0.776, True),
        (300_000, 0.668 + 0.108 * 1.4771213, True),
        (1_000_000, 0.884, True),
        (100_000_000, HIGHEST, True),
        (0, 0.363, False),
    ],
)
def test_lists_of_many_lengths(templates: int, similarity: float, extrapolated: bool) -> None:
    threshold = threshold_for(
        CURVE, target_fpir=0.001, templates=templates, floor=0.0, extrapolate=True
    )
    assert threshold.similarity == pytest.approx(similarity, abs=1e-6)
    assert threshold.extrapolated is extrapolated


def test_between_points_the_logarithm_is_linear() -> None:
    threshold = threshold_for(
        ((0.2, 1e-2), (0.6, 1e-4)), target_fpir=1e-3, templates=1, floor=0, extrapolate=False
    )
    assert threshold.similarity == pytest.approx(0.4)


def test_the_floor_holds() -> None:
    assert threshold_for(
        CURVE, target_fpir=0.001, templates=1, floor=0.4, extrapolate=True
    ).similarity == pytest.approx(0.4)
    assert threshold_for(
        CURVE, target_fpir=0.001, templates=10**9, floor=0.99, extrapolate=True
    ).similarity == pytest.approx(0.99)


def test_beyond_the_measured_end_a_list_is_refused_by_its_numbers() -> None:
    with pytest.raises(RefusedError, match=r"10001 templates.*1\.0e-07.*at most 10000 templates"):
        threshold_for(CURVE, target_fpir=0.001, templates=10_001, floor=0.4, extrapolate=False)


def test_the_largest_list_is_the_last_that_is_served() -> None:
    assert largest_list(CURVE, target_fpir=0.001) == 10_000
    served = threshold_for(CURVE, target_fpir=0.001, templates=10_000, floor=0.4, extrapolate=False)
    assert not served.extrapolated


@pytest.mark.parametrize(
    "curve",
    [
        (),
        ((0.4, 1e-3),),
        ((0.4, 1e-3), (0.5, 1e-3)),
        ((0.5, 1e-3), (0.4, 1e-4)),
        ((0.4, 1e-3), (0.5, 0.0)),
        ((0.4, 2.0), (0.5, 0.1)),
    ],
)
def test_what_is_no_curve_is_refused(curve: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(DataError, match="similarity-to-FMR curve"):
        threshold_for(curve, target_fpir=0.001, templates=10, floor=0.4, extrapolate=True)


def pairs_of(values: st.SearchStrategy[float]) -> st.SearchStrategy[tuple[float, float]]:
    """Two of them, the lower first."""
    return st.tuples(values, values).map(lambda pair: (min(pair), max(pair)))


@settings(max_examples=50, deadline=None)
@given(pairs_of(st.integers(0, 10**9)), pairs_of(st.floats(1e-6, 0.5)))
def test_a_longer_list_or_a_stricter_target_never_lowers_the_threshold(
    lists: tuple[int, int], targets: tuple[float, float]
) -> None:
    (n, m), (strict, loose) = lists, targets

    def similarity(templates: int, target: float) -> float:
        return threshold_for(
            CURVE, target_fpir=target, templates=templates, floor=0.4, extrapolate=True
        ).similarity

    assert 0.4 <= similarity(n, loose) <= similarity(m, loose) + 1e-12
    assert similarity(m, loose) <= similarity(m, strict) + 1e-12
    assert similarity(m, strict) <= HIGHEST


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 10**7), st.floats(1e-6, 0.5))
def test_the_union_bound_is_on_the_safe_side(templates: int, target: float) -> None:
    fmr = needed_fmr(target_fpir=target, templates=templates)
    fpir = -math.expm1(templates * math.log1p(-fmr))  # 1 - (1 - fmr)^templates, without rounding
    assert fpir <= target * (1 + 1e-9)
