"""The contact sheet shows mistakes, and nothing that comes from outside does anything in it."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace

from PIL import Image

from pipeline.errors import ImageRejected
from pipeline.reject_reasons import RejectReason
from tagging_lambda.evaluate.measure import measured
from tagging_lambda.evaluate.report import PICTURES, sheet
from tagging_lambda.image.contact_sheet import contact_sheet
from tests.builders import InlineReader, jpeg
from tests.tagging_lambda.evaluate.conftest import VOCABULARY, photo


def sheet_of(photos, read=lambda _: jpeg("red"), reader=None):
    opening, sections = sheet(photos, measured(photos), VOCABULARY)
    return "".join(contact_sheet("evaluate", opening, sections, read, reader or InlineReader()))


def test_a_mistake_is_shown_with_its_picture_and_what_was_expected():
    text = sheet_of([photo("a.jpg", "red", ("blue", 0.9), ("paint", 0.95), scores={"blue": 0.9})])
    assert "<del>blue 0.90</del>, paint 0.95" in text
    assert "expected red" in text
    [data] = re.findall(r'src="data:image/webp;base64,([^"]+)"', text)
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert picture.size == (224, 224)
        assert picture.getpixel((5, 5))[0] > 200


def test_photos_of_which_nothing_expected_is_said_come_after_the_mistakes():
    text = sheet_of([photo("missed.jpg", "red", scores={"red": 0.1}), photo("wrong.jpg", "red", ("blue", 0.9))])
    assert text.index("wrong.jpg") < text.index("Nothing expected was said: 1") < text.index("missed.jpg")


def test_a_file_name_is_text_and_nothing_else():
    text = sheet_of([photo('<script>alert("x")</script>.jpg', "red", ("blue", 0.9))])
    assert "<script" not in text
    assert "script&gt;.jpg" in text
    assert "default-src 'none'" in text


def test_a_photo_that_cannot_be_read_again_says_why_and_a_keyword_is_escaped():
    class Refusing:
        def read(self, data, limit_s=None):
            raise ImageRejected(RejectReason.CORRUPT, "<b>it ends</b>")

    text = sheet_of([photo("a.jpg", "red", ("blue", 0.9), scores={"blue": 0.9})], reader=Refusing())
    assert "corrupt: &lt;b&gt;it ends" in text
    odd = replace(VOCABULARY.nodes["blue"], words={"en": ("<i>blue",)})
    words = replace(VOCABULARY, nodes={**VOCABULARY.nodes, "blue": odd})
    photos = [photo("a.jpg", "red", ("blue", 0.9))]
    opening, sections = sheet(photos, measured(photos), words)
    assert "&lt;i&gt;blue 0.90" in "".join(contact_sheet("evaluate", opening, sections, lambda _: b"", Refusing()))


def test_no_more_pictures_are_shown_than_the_limit():
    photos = [photo(f"{at}.jpg", "red", ("blue", 0.9), scores={"blue": 0.9}) for at in range(PICTURES + 5)]
    assert sheet_of(photos).count("<figure>") == PICTURES
