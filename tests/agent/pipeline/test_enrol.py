from __future__ import annotations

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
