from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agent.pipeline.enrol import PhotoResult, enrol_photograph, refuse_strangers
from agent.values import Embedding
from agent.watchlist.enrolment import EnrolmentLimits, Problem
from tests.support.faces import unit
from tests.support.portraits import PortraitDetector, PortraitEmbedder, portrait, template

LIMITS = EnrolmentLimits()


def enrol(image, embedder=None):
    return enrol_photograph(image, PortraitDetector(), embedder or PortraitEmbedder(), LIMITS)


def problems(result):
    return [reason.problem for reason in result.reasons]


def test_a_good_photograph_gives_the_template_of_its_person():
    result = enrol(portrait(9))
    assert np.array_equal(result.template.vector, template(9))
    assert result.reasons == ()
    assert result.quality.score > 0.5


@pytest.mark.parametrize(
    ("image", "problem"),
    [(portrait(), Problem.NO_FACE), (portrait(1, 2), Problem.SEVERAL_FACES)],
)
def test_no_face_or_several_are_refused_unembedded(image, problem):
    embedder = PortraitEmbedder()
    result = enrol(image, embedder)
    assert (problems(result), result.template, result.quality) == ([problem], None, None)
    assert embedder.batches == []


def test_a_dark_photograph_is_refused_with_its_brightness():
    embedder = PortraitEmbedder()
    result = enrol(portrait(5, light=0.29), embedder)
    assert problems(result) == [Problem.TOO_DARK]
    assert result.reasons[0].measured == pytest.approx(result.quality.brightness)
    assert embedder.batches == []


class Turned(PortraitDetector):
    """Sees a face in what was turned by so many quarters, better than as it is."""

    def __init__(self, quarters: int, *, as_it_is: float, turned: float) -> None:
        super().__init__()
        self._mark = np.rot90(portrait(9), -quarters)
        self._scores = as_it_is, turned

    def detect(self, image):
        found = super().detect(portrait(9))
        as_it_is, turned = self._scores
        score = turned if np.array_equal(image, self._mark) else as_it_is
        if not score:
            return super().detect(portrait())
        return replace(found, scores=np.array([score], np.float32))


@pytest.mark.parametrize("quarters", [1, 2, 3])
@pytest.mark.parametrize("as_it_is", [0.81, 0.0])
def test_a_photograph_that_does_not_stand_upright_is_refused(quarters, as_it_is):
    detector = Turned(quarters, as_it_is=as_it_is, turned=0.94)
    embedder = PortraitEmbedder()
    result = enrol_photograph(portrait(9), detector, embedder, LIMITS)
    assert problems(result) == [Problem.NOT_UPRIGHT]
    assert f"by {90 * quarters} degrees clockwise" in str(result.reasons[0])
    assert embedder.batches == []


@pytest.mark.parametrize(("as_it_is", "turned"), [(0.94, 0.94), (0.94, 0.9), (0.0, 0.59)])
def test_what_scores_no_higher_turned_is_left_as_it_is(as_it_is, turned):
    result = enrol_photograph(
        portrait(9), Turned(2, as_it_is=as_it_is, turned=turned), PortraitEmbedder(), LIMITS
    )
    assert problems(result) == ([] if as_it_is else [Problem.NO_FACE])


def result_of(*values):
    return PhotoResult(Embedding(unit(*values)), None, ())


def test_a_stranger_among_the_photographs_is_refused():
    same = [result_of(1, 0, 0), result_of(1, 0.2, 0), result_of(1, 0, 0.2)]
    checked = refuse_strangers([*same, result_of(-0.1, 0, 1)], LIMITS)
    assert checked[:3] == same
    assert problems(checked[3]) == [Problem.UNLIKE_THE_OTHERS]
    assert checked[3].template is None


def test_of_two_that_differ_nobody_knows_which_is_wrong():
    checked = refuse_strangers([result_of(1, 0), result_of(0, 1)], LIMITS)
    assert [problems(one) for one in checked] == [[Problem.UNLIKE_THE_OTHERS]] * 2


def test_a_single_photograph_and_refused_ones_are_left_alone():
    refused = enrol(portrait())
    results = [refused, result_of(1, 0)]
    assert refuse_strangers(results, LIMITS) == results
    assert refuse_strangers([refused], LIMITS) == [refused]
    assert refuse_strangers([], LIMITS) == []
