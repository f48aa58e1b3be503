"""dlib, where it is installed: HOG detector, five-point alignment, ResNet descriptor.

It is asked of the user's own installation and never installed by us: it builds for many minutes.
The networks come with the `face_recognition_models` package.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from agent.values import BgrImage


class DlibFaces:
    """Raises ImportError where dlib or its models are not installed."""

    def __init__(self) -> None:
        import dlib
        import face_recognition_models as models

        self._detector = dlib.get_frontal_face_detector()
        self._shape = dlib.shape_predictor(models.pose_predictor_five_point_model_location())
        self._net = dlib.face_recognition_model_v1(models.face_recognition_model_location())

    def detect(self, image: BgrImage) -> Any:
        """Rectangles of faces, without enlarging the picture."""
        return self._detector(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), 0)

    def crop(self, image: BgrImage) -> BgrImage:
        """The first face, aligned to the 150x150 that the descriptor takes."""
        import dlib

        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        return np.asarray(dlib.get_face_chip(rgb, self._shape(rgb, self.detect(image)[0])))

    def embed(self, crop: BgrImage) -> Any:
        """128 numbers of an aligned face."""
        return self._net.compute_face_descriptor(crop)
