"""One photo is classified while somebody waits, and whatever is sent, the answer says what is wrong with it."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import CallerError, ImageRejected
from pipeline.images import ImageRef
from pipeline.keywords import Vocabulary
from pipeline.memory.images import MemoryImages
from pipeline.reject_reasons import RejectReason
from tagging_lambda.classify import Classification
from tagging_lambda.classify_route import LoadedModel, Models, PhotoClassifier, PhotoSource, add_routes
from tagging_lambda.image.picture import Picture
from tagging_lambda.link import LinkFetcher
from tagging_lambda.words.classes_and_heads import KeywordMapper
from tests.api_caller import caller_for

SHOE, CAMERA = "n04120489", "n04069434"
PHOTO = b"a photo"
IMAGE = ImageRef("shop", "a.jpg")


class Reader:
    """Reads what is a photo here, and rejects the rest as the real one does."""

    def read(self, data: bytes) -> Picture:
        if data != PHOTO:
            raise ImageRejected(RejectReason.NOT_IMAGE, "the first bytes are not those of a picture")
        return Picture(np.zeros((8, 8, 3), np.uint8), 640, 480, low_information=False)


class Card:
    """What the verb asks of a card."""

    def __init__(self, version: str) -> None:
        from tagging_lambda.model_card import InputContract, ModelClass  # noqa: PLC0415 - beside its use

        self.version, self.served = version, "int8"
        self.input = InputContract(8, 8, "RGB", "NCHW", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "crop", 8)
        ids = [SHOE, CAMERA, "n00000001", "n00000002", "n00000003", "n00000004"]
        self.classes = tuple(ModelClass(at, each, f"class {at}") for at, each in enumerate(ids))


class Classifier:
    """Answers the same, whatever it sees."""

    def __init__(self, version: str, scores: list[float]) -> None:
        self.card, self._scores = Card(version), np.array(scores, np.float32)

    def classify(self, pixels: Any) -> list[Classification]:
        return [Classification(self._scores, np.zeros(4, np.float32)) for _ in pixels]


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.load()


@pytest.fixture
def ask(vocabulary: Vocabulary) -> Any:
    """Returns what asks the function as API Gateway does, and gives the status and the document."""
    scores = {"default": [0.9, 0.05, 0.02, 0.01, 0.01, 0.01], "other": [0.05, 0.9, 0.02, 0.01, 0.01, 0.01]}
    mapper = KeywordMapper.of(vocabulary, [each.id for each in Card("x").classes])
    models = Models(tuple(scores), lambda name: LoadedModel(Reader(), Classifier(f"v-{name}", scores[name]), mapper))
    images = MemoryImages()
    images.put(IMAGE, PHOTO)

    def refuse(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    source = PhotoSource(LinkFetcher(resolve=refuse), images, {"shop"})
    classifier = PhotoClassifier(models, source, vocabulary, lambda: 0.0)
    caller = caller_for(lambda app: add_routes(app, classifier), warn=lambda text: None)

    def call(
        body: bytes, type_: str = "image/jpeg", method: str = "POST", path: str = "/v1/classify", **query: str
    ) -> tuple[int, Any]:
        answer = caller.send(method, path, urlencode(query), body, {"content-type": type_})
        return answer.status, answer.body

    return call


def form(field: str, data: bytes, boundary: str = "b0undary") -> tuple[bytes, str]:
    """Return a form with one file as a browser sends it, and its type."""
    head = f'Content-Disposition: form-data; name="{field}"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    return (
        f"--{boundary}\r\n{head}".encode() + data + f"\r\n--{boundary}--\r\n".encode(),
        f"multipart/form-data; boundary={boundary}",
    )


def document(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("body", "type_"),
    [
        (PHOTO, "image/jpeg"),
        (PHOTO, "application/octet-stream"),
        (document(image=base64.b64encode(PHOTO).decode()), "application/json"),
        (document(image="data:image/jpeg;base64," + base64.b64encode(PHOTO).decode()), "application/json"),
        (document(link="s3://shop/a.jpg"), "application/json"),
        form("image", PHOTO),
    ],
)
def test_a_photo_comes_as_a_body_as_text_or_by_a_link(ask, body: bytes, type_: str) -> None:
    status, answered = ask(body, type_)

    assert status == 200
    assert [each["class"] for each in answered["classes"]] == [f"class {at}" for at in range(5)]
    assert answered["classes"][0] == {"class_index": 0, "class": "class 0", "score": 0.9}
    assert answered["keywords"][0] == {"keyword": "running shoe", "id": SHOE, "score": 0.9, "source": "model"}
    assert (answered["width_pixels"], answered["height_pixels"]) == (640, 480)
    assert answered["model_version"] == "v-default"
    assert answered["taxonomy_version"]
    assert answered["sha256"] == hashlib.sha256(PHOTO).hexdigest()
    assert answered["milliseconds"] >= 0


def test_words_come_in_the_language_that_is_asked_for(ask, vocabulary: Vocabulary) -> None:
    _, answered = ask(PHOTO, language="de")

    assert answered["language"] == "de"
    assert answered["keywords"][0]["keyword"] == vocabulary.nodes[SHOE].name("de")


def test_several_models_answer_side_by_side(ask) -> None:
    _, answered = ask(PHOTO, models="other,default")

    assert [(each["model"], each["keywords"][0]["id"]) for each in answered["models"]] == [
        ("other", CAMERA),
        ("default", SHOE),
    ]
    assert answered["model"] == "other"


def test_the_models_that_can_be_asked_are_told(ask) -> None:
    status, answered = ask(b"", method="GET", path="/v1/models")

    assert status == 200
    assert [(each["model"], each["model_version"], len(each["classes"])) for each in answered["models"]] == [
        ("default", "v-default", 6),
        ("other", "v-other", 6),
    ]


@pytest.mark.parametrize(
    ("body", "type_", "query", "status", "told"),
    [
        (b"%PDF", "image/jpeg", {}, 415, "not those of a picture"),
        (b"", "application/json", {}, 400, "Invalid JSON"),
        (b"[]", "application/json", {}, 400, "should be an object"),
        (b"{", "text/plain", {}, 415, "send image/*"),
        (b"{", "", {}, 415, "no Content-Type"),
        (b"\xff\xfe", "application/json", {}, 400, "Invalid JSON"),
        (b"[" * 100_000, "application/json", {}, 400, "Invalid JSON"),
        (document(), "application/json", {}, 400, "either 'image'"),
        (document(image="x", link="y"), "application/json", {}, 400, "either 'image'"),
        (document(image=5), "application/json", {}, 400, "valid string"),
        (document(image="x", size=5), "application/json", {}, 400, "body.size"),
        (*form("photo", PHOTO), {}, 400, "no field 'image'"),
        (b"no form", "multipart/form-data; boundary=b", {}, 400, "no field 'image'"),
        (b"no form", "multipart/form-data", {}, 400, "no boundary"),
        (document(image="not base64!"), "application/json", {}, 400, "not base64"),
        (document(image="é"), "application/json", {}, 400, "not base64"),
        (document(image="\ud800"), "application/json", {}, 400, "Invalid JSON"),
        (document(image="x" * 30_000_000), "application/json", {}, 400, "at most 27"),
        (document(link="s3://shop"), "application/json", {}, 400, "not an image"),
        (document(link="s3://shop/none.jpg"), "application/json", {}, 404, "no photo of this name"),
        (document(link="s3://somebody-elses/a.jpg"), "application/json", {}, 403, "not the catalogue's"),
        (document(link="https://inside.example/a.jpg"), "application/json", {}, 400, "not public"),
        (document(link="javascript:alert(1)"), "application/json", {}, 400, "https://"),
        (PHOTO, "image/jpeg", {"language": "xx"}, 400, "no words in the language 'xx'"),
        (PHOTO, "image/jpeg", {"models": "none"}, 400, "there is no model"),
        (PHOTO, "image/jpeg", {"models": ","}, 400, "0 models"),
        (PHOTO, "image/jpeg", {"model": "default"}, 400, "no parameter 'model'"),
        (PHOTO, "image/jpeg", {"models": "../../etc"}, 400, "there is no model"),
    ],
)
def test_whatever_is_sent_the_answer_is_a_problem_of_the_callers(  # noqa: PLR0913, PLR0917 - the table's columns
    ask, body: bytes, type_: str, query: dict[str, str], status: int, told: str
) -> None:
    found, problem = ask(body, type_, **query)

    assert found == status
    assert problem["status"] == status
    assert told in problem["detail"]


LINKS = LinkFetcher()  # which reads all certificates of this machine


@given(
    data=st.binary(max_size=200) | st.lists(st.sampled_from([b"\r", b"\n", b"--", b"b0undary", b"\xff"])).map(b"".join)
)
def test_a_photo_in_a_form_arrives_byte_for_byte(data: bytes) -> None:
    source = PhotoSource(LINKS, MemoryImages(), set())
    body, content_type = form("image", data, boundary="another-b0undary")

    assert source.photo("multipart/form-data", content_type, body) == data


def test_another_bucket_is_never_asked() -> None:
    images = MemoryImages()
    source = PhotoSource(LinkFetcher(), images, {"shop"})

    with pytest.raises(ImageRejected):
        source.photo("application/json", "application/json", document(link="s3://other/a.jpg"))
    assert images.fetches == 0


def test_a_model_loads_when_it_is_first_asked_and_once() -> None:
    loaded: list[str] = []
    models = Models(("a", "b"), lambda name: loaded.append(name) or name)

    models.named("b")
    models.named("b")

    assert loaded == ["b"]
    with pytest.raises(CallerError, match="choose from a, b"):
        models.named("c")
