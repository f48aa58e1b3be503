from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agent.adapters.gallery import build_gallery
from agent.config import WatchlistConfig
from agent.pipeline.identify import EMBED_BATCH, Answer, IdentifyRule, identify
from agent.values import Wall
from tests.support.lists import BEGIN, a_list, a_meta, columns_of
from tests.support.portraits import PortraitDetector, PortraitEmbedder, portrait, template

RULE = IdentifyRule(threshold=0.6, margin=0.05, min_quality=0.3, min_face_px=32)


def gallery_of(*people, subjects=None):
    subjects = subjects or [f"S-{person}" for person in people]
    metas = [a_meta(at, entry=f"E-{at}", subject=subject) for at, subject in enumerate(subjects)]
    vectors = np.stack([template(person) for person in people])
    stored = a_list(columns_of(metas, [1] * len(people), vectors))
    return build_gallery(stored, now=Wall(BEGIN), config=WatchlistConfig(), threads=1)


def search(image, gallery, rule=RULE, embedder=None):
    return identify(image, PortraitDetector(), embedder or PortraitEmbedder(), gallery, rule)


def test_each_face_gets_its_own_answer():
    faces = search(portrait(1, 2, 3), gallery_of(2, 40))
    assert [face.answer for face in faces] == [Answer.NO_MATCH, Answer.MATCH, Answer.NO_MATCH]
    assert [face.candidates for face in faces if face.answer is Answer.NO_MATCH] == [(), ()]
    (candidate,) = faces[1].candidates
    assert (candidate.ref.entry, candidate.similarity) == ("E-0", pytest.approx(1.0))
    assert faces[1].box == (128.0, 0.0, 240.0, 112.0)


def test_a_crowd_is_embedded_in_batches_and_nobody_is_lost():
    embedder = PortraitEmbedder()
    faces = search(portrait(*range(1, 121), columns=12), gallery_of(77), embedder=embedder)
    assert len(faces) == 120
    assert [face.answer for face in faces].count(Answer.MATCH) == 1
    assert faces[76].answer is Answer.MATCH
    assert max(embedder.batches) <= EMBED_BATCH
    assert sum(embedder.batches) == 120


def test_two_subjects_alike_are_ambiguous_and_both_are_shown():
    (face,) = search(portrait(5), gallery_of(5, 5, subjects=["S-1", "S-2"]))
    assert face.answer is Answer.AMBIGUOUS
    assert len(face.candidates) == 2


def test_two_entries_of_one_subject_do_not_compete():
    (face,) = search(portrait(5), gallery_of(5, 5, subjects=["S-1", "S-1"]))
    assert face.answer is Answer.MATCH
    assert len(face.candidates) == 1


@pytest.mark.parametrize("rule", [{"min_face_px": 113}, {"min_quality": 1.1}])
def test_a_face_of_too_low_a_quality_is_not_searched(rule):
    embedder = PortraitEmbedder()
    (face,) = search(portrait(5), gallery_of(5), replace(RULE, **rule), embedder)
    assert (face.answer, face.candidates) == (Answer.NOT_SEARCHED, ())
    assert embedder.batches == []


def test_a_picture_of_nobody():
    assert search(portrait(), gallery_of(5)) == []


class _KeepingEmbedder(PortraitEmbedder):
    """Keeps what it was given and what it gave, as a dump of the memory would."""

    def embed(self, crops):
        vectors = super().embed(crops)
        self.kept = [*getattr(self, "kept", []), crops, vectors]
        return vectors


def test_nothing_of_the_faces_stays_in_memory():
    embedder = _KeepingEmbedder()
    search(portrait(*range(1, 31)), gallery_of(5), embedder=embedder)
    assert len(embedder.kept) == 4
    assert not any(array.any() for array in embedder.kept)
