"""What models of pictures are for and what runs them, in every format."""

from __future__ import annotations

from typing import Any

import pytest

from corral.inference.detect import Detection, detect

WEIGHTS = "model.safetensors"


def look(card: dict[str, Any], files: tuple[str, ...], config: dict[str, Any] | None = None) -> Detection:
    configs = {} if config is None else {"config.json": config}
    return detect(card, configs, (*files, *configs))


@pytest.mark.parametrize(
    ("architecture", "kind", "task", "engine"),
    [
        ("DetrForObjectDetection", "detr", "object-detection", "object-detection"),
        ("YolosForObjectDetection", "yolos", "object-detection", "object-detection"),
        ("SegformerForSemanticSegmentation", "segformer", "image-segmentation", "image-segmentation"),
        ("Mask2FormerForUniversalSegmentation", "mask2former", "image-segmentation", "image-segmentation"),
        ("MaskFormerForInstanceSegmentation", "maskformer", "image-segmentation", "image-segmentation"),
        ("DetrForSegmentation", "detr", "image-segmentation", "image-segmentation"),
        ("DPTForDepthEstimation", "dpt", "depth-estimation", "depth-estimation"),
        ("CLIPModel", "clip", "zero-shot-image-classification", "zero-shot-image-classification"),
        ("SiglipModel", "siglip", "zero-shot-image-classification", "zero-shot-image-classification"),
        ("VitPoseForPoseEstimation", "vitpose", "keypoint-detection", "keypoint-detection"),
        ("SuperPointForKeypointDetection", "superpoint", "keypoint-detection", "keypoint-detection"),
        ("BlipForConditionalGeneration", "blip", "image-to-text", "image-to-text"),
        ("VisionEncoderDecoderModel", "vision-encoder-decoder", "image-to-text", "image-to-text"),
        ("Swin2SRForImageSuperResolution", "swin2sr", "image-to-image", "swin2sr"),
    ],
)
def test_transformers(architecture: str, kind: str, task: str, engine: str) -> None:
    found = look({}, (WEIGHTS,), {"architectures": [architecture], "model_type": kind})
    assert (found.task, found.library, found.engine, found.problem) == (task, "transformers", engine, "")


@pytest.mark.parametrize(
    ("card", "files", "config", "library", "engine", "graph"),
    [
        ({"pipeline_tag": "object-detection"}, ("yolo.onnx",), None, "onnx", "graph-detection", "yolo.onnx"),
        ({"pipeline_tag": "object-detection", "library_name": "ultralytics"}, ("a.pt", "a.onnx"), None, "onnx",
         "graph-detection", "a.onnx"),
        ({"pipeline_tag": "object-detection", "library_name": "transformers.js"},
         ("onnx/decoder.onnx", "onnx/model_quantized.onnx", "onnx/model.onnx", "a.onnx"),
         {"architectures": ["YolosForObjectDetection"], "model_type": "yolos"}, "onnx", "graph-detection",
         "onnx/model.onnx"),
        ({"tags": ["onnx"]}, ("b.onnx", "a.onnx"), {"architectures": ["ViTForImageClassification"]}, "onnx",
         "graph-classification", "a.onnx"),
        ({"pipeline_tag": "keypoint-detection", "library_name": "tf-lite"}, ("pose.tflite",), None, "tflite",
         "graph-keypoints", "pose.tflite"),
        ({"pipeline_tag": "image-segmentation"}, ("selfie.tflite",), None, "tflite", "graph-segmentation",
         "selfie.tflite"),
        ({"pipeline_tag": "depth-estimation"}, ("midas.onnx",), {"auto_map": {}}, "onnx", "graph-depth", "midas.onnx"),
        ({"pipeline_tag": "image-to-image"}, ("x4.onnx",), None, "onnx", "graph-upscaling", "x4.onnx"),
        ({"pipeline_tag": "image-to-image"}, ("x4.param", "x4.bin"), None, "ncnn", "ncnn-upscaling", None),
        ({}, (WEIGHTS,), {"architecture": "resnet18", "num_classes": 10}, "timm", "timm-classification", None),
        ({"library_name": "timm", "tags": ["image-classification"]}, (WEIGHTS,), {}, "timm", "timm-classification",
         None),
    ],
)  # fmt: skip
def test_other_formats(
    card: dict[str, Any],
    files: tuple[str, ...],
    config: dict[str, Any] | None,
    library: str,
    engine: str,
    graph: str | None,
) -> None:
    found = look(card, files, config)
    assert (found.library, found.engine, found.problem) == (library, engine, "")
    assert dict(found.options).get("graph") == graph


def test_where_both_lie_a_librarys_own_weights_are_taken() -> None:
    config = {"architectures": ["ViTForImageClassification"]}
    found = look({"tags": ["onnx", "safetensors"]}, (WEIGHTS, "onnx/model.onnx"), config)
    assert (found.library, found.engine) == ("transformers", "image-classification")


@pytest.mark.parametrize(
    ("card", "files", "says"),
    [
        ({}, ("yolo.onnx",), "name its task"),
        ({"pipeline_tag": "object-detection"}, ("yolo.pt",), "pickle"),
        ({"pipeline_tag": "image-to-image", "library_name": "ncnn"}, ("x4.param",), "no weights"),
        ({"pipeline_tag": "text-generation"}, ("model.onnx",), "onnx models for text-generation"),
        ({"pipeline_tag": "object-detection", "library_name": "ncnn"}, ("yolo.param", "yolo.bin"), "ncnn models"),
    ],
)
def test_what_cannot_run_says_why(card: dict[str, Any], files: tuple[str, ...], says: str) -> None:
    found = look(card, files)
    assert found.engine is None
    assert says in found.problem
