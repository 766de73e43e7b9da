"""What people ask of the deployed functions, with every permission checked as AWS would."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.place import Place
from infra.local.run import Sources, down, up
from infra.package import ROOT, TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.page.conftest import Site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

KEYWORD = "n04120489"
WATCH = """async ([address, ticket]) => {
  const socket = new WebSocket(address);
  const told = new Promise((resolve) => {
    socket.onmessage = ({data}) => resolve(data);
    socket.onclose = () => resolve("closed");
    setTimeout(() => resolve("late"), 30000);
  });
  await new Promise((resolve) => { socket.onopen = resolve; });
  socket.send(JSON.stringify({kind: "watch", ticket}));
  return await told;
}"""


class Strict:
    """A stack that refuses what the roles do not allow, and what is asked of it."""

    def __init__(self, page_url: str) -> None:
        self.url = page_url.rstrip("/")

    def ask(self, method: str, path: str, document: Any = None) -> tuple[int, bytes]:
        body = None if document is None else json.dumps(document).encode()
        return self.send(
            urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"}, method=method)
        )

    def send(self, request: urllib.request.Request | str) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(request, timeout=40) as answered:
                return answered.status, answered.read()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read()

    def post(self, place: dict[str, Any], photo: bytes, **changed: str) -> int:
        """Send the form of an upload as a browser does."""
        parts = [
            f'--bb\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in (place["fields"] | changed).items()
        ]
        head = '--bb\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        body = "".join([*parts, head]).encode() + photo + b"\r\n--bb--\r\n"
        return self.send(
            urllib.request.Request(place["url"], body, {"Content-Type": "multipart/form-data; boundary=bb"})
        )[0]


@pytest.fixture
def strict(tmp_path: Path, real_model: Path) -> Iterator[Strict]:
    place = Place(tmp_path / "local", checks_permissions=True)
    # What refuses unencrypted connections is made void: there are no others on this machine.
    template = tmp_path / "template.yaml"
    template.write_text(TEMPLATE.read_text("utf-8").replace('SecureTransport: "false"', 'SecureTransport: "void"'))
    try:
        yield Strict(up(place, Sources(template, ROOT, real_model)).api.page_url)
    finally:
        down(place, purge=True)


def test_the_roles_allow_all_that_people_ask_for(strict: Strict, site: Site, browser: Any) -> None:
    photo = site.photos["ultraboost-running-shoe"].read_bytes()
    announced = {"name": "shoe.jpg", "type": "image/jpeg", "size": len(photo)}
    place = json.loads(strict.ask("POST", "/v1/uploads", announced)[1])
    image = place["image"]

    assert strict.post(place, photo, **{"x-amz-signature": "0" * 64}) == 403
    assert strict.post(place, photo) == 204
    watch = json.loads(strict.ask("GET", "/page/settings.json")[1])["watch"]
    page = browser.new_page()
    page.goto(f"{strict.url}/page/icon.svg")
    host = strict.url.partition("/_aws")[0].replace("http", "ws")
    told = page.evaluate(WATCH, [host + watch, place["ticket"]])
    assert json.loads(told)["record"]["image"] == image
    assert page.evaluate(WATCH, [host + watch, "somebody-elses"]) == "closed"
    page.close()

    shown = json.loads(strict.ask("POST", "/v1/photos", {"images": [image]})[1])["photos"][image]
    assert strict.send(shown) == (200, photo)
    rating = {"image": image, "keyword": KEYWORD, "verdict": "wrong", "model_version": "m"}
    assert strict.ask("POST", "/v1/ratings", {"ratings": [rating]})[0] == 201
    suppression = {"image": image, "keyword": KEYWORD, "decision": "suppress"}
    assert strict.ask("POST", "/v1/decisions", {"decisions": [suppression]})[0] == 200
    assert strict.ask("POST", "/v1/classify", {"link": image})[0] == 200
    assert strict.ask("POST", "/v1/classify", {"link": image.replace("shoe", "none")})[0] == 404
    assert strict.ask("GET", "/v1/status")[0] == 200
    assert strict.ask("GET", "/")[0] == 200
