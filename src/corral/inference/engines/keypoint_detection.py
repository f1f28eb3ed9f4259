"""Keypoint detection by transformers: ViTPose, which takes one person's pose, and SuperPoint, which finds corners."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import AutoConfig, AutoImageProcessor, AutoModelForKeypointDetection, VitPoseForPoseEstimation

from corral.inference.engines.base import CODE, SAFE, Engine, Job, Refused, device
from corral.inference.engines.pictures import fitting, picture
from corral.inference.engines.points import COCO, Skeleton, figure


class KeypointDetection(Engine):
    def __init__(self, folder: Path, options: dict[str, Any]) -> None:
        config = AutoConfig.from_pretrained(folder, **CODE, local_files_only=True)
        self._poses = config.model_type == "vitpose"
        kind = VitPoseForPoseEstimation if self._poses else AutoModelForKeypointDetection
        self._processor = AutoImageProcessor.from_pretrained(folder, **CODE)
        self._model = kind.from_pretrained(folder, config=config, dtype=torch.float32, **SAFE).eval().to(device())

    def run(self, job: Job) -> Any:
        if job.op != "keypoints":
            raise Refused(f"This model cannot do {job.op!r}: it finds keypoints.")
        image = picture(job.files[0])
        with torch.inference_mode(), fitting(image):
            return self._pose(image, job.params) if self._poses else self._corners(image, job.params)

    def _pose(self, image: Image.Image, params: dict[str, Any]) -> Any:
        # the model looks at one person in a box; without a detector the box is the whole picture
        boxes = [[[0.0, 0.0, float(image.width), float(image.height)]]]
        inputs = self._processor(images=image, boxes=boxes, return_tensors="pt").to(self._model.device)
        if self._model.config.backbone_config.num_experts > 1:
            # ViTPose+ has an expert for each data set; the first is COCO's people
            inputs["dataset_index"] = torch.zeros(1, dtype=torch.long, device=self._model.device)
        found = self._processor.post_process_pose_estimation(self._model(**inputs), boxes)[0][0]
        scores = found["scores"].reshape(-1, 1)
        points = torch.cat([found["keypoints"], scores], 1).float().cpu().numpy()
        score = float(scores.mean())
        if score < (params.get("threshold") or 0.0):
            return []
        names = [str(self._model.config.id2label.get(i, f"point {i}")) for i in range(len(points))]
        skeleton = Skeleton("person", names, getattr(self._model.config, "edges", None) or ())
        if len(points) == len(COCO.names):
            skeleton = Skeleton("person", COCO.names if "LABEL_0" in names else names, skeleton.edges or COCO.edges)
        return [figure(skeleton, score, points, image.size)]

    def _corners(self, image: Image.Image, params: dict[str, Any]) -> Any:
        inputs = self._processor(images=image, return_tensors="pt").to(self._model.device)
        found = self._processor.post_process_keypoint_detection(self._model(**inputs), [(image.height, image.width)])[0]
        points = torch.cat([found["keypoints"], found["scores"].reshape(-1, 1)], 1).float().cpu().numpy()
        points = points[points[:, 2] >= (params.get("threshold") or 0.0)]
        if not len(points):
            return []
        points = points[np.argsort(-points[:, 2])]
        corners = Skeleton("corners", ["corner"] * len(points))
        return [figure(corners, float(points[:, 2].mean()), points, image.size)]
