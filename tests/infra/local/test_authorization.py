"""`local up --auth`: the API on this machine answers whom it would answer on AWS."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from infra.local.authorization import PASSWORD, USER, Authorization, UserPool
from infra.local.place import Place
from infra.local.run import Sources, down, status, up
from infra.package import ROOT, TEMPLATE
from pipeline.errors import Denied, RetryLater
from pipeline.http.client import BearerToken, CatalogClient, SignedRequests
from pipeline.stack import LOCAL, TARGET_VARIABLE, local_folder
from tests.gateway import statuses_under_load
from tests.infra.local.scratch import tiny_model

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of commands on a stack of their own, which is stopped however the tests end."""
    environment = {"CATALOG_TAGGER_HOME": str(tmp_path_factory.mktemp("home")), TARGET_VARIABLE: LOCAL}
    yield environment
    down(Place(local_folder(environment)), purge=True)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    return Sources(TEMPLATE, ROOT, tiny_model(tmp_path_factory.mktemp("model") / "tiny"))


def status_of(url: str) -> int:
    """Return the status of an answer to somebody who does not say who they are."""
    try:
        with urllib.request.urlopen(url, timeout=40) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def type_commands(home: dict[str, str]) -> None:
    """Type commands that work on the stack; they speak with AWS itself, whoever may call the API."""
    command = [sys.executable, "-m", "infra.cli"]
    for words in ("export", "doctor", "status", "search footwear"):
        done = subprocess.run(
            [*command, *words.split()], check=False, env=os.environ | home, cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"


def test_with_iam_it_answers_signed_requests_alone(home: dict[str, str], sources: Sources) -> None:
    api = up(Place(local_folder(home)), sources, Authorization.IAM).api

    assert (api.authorization, api.page_url) == (Authorization.IAM, None)
    assert CatalogClient.of_stack(home).health().status == "ok"
    with pytest.raises(RetryLater, match="exported yet"):  # the function's own answer
        CatalogClient.of_stack(home).search("footwear AND NOT boot", language="de")
    assert CatalogClient.of_stack(home).products(["é 1"]).missing == ["é 1"]
    assert status_of(f"{api.url}/v1/healthz") == 403
    key = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "wrong", "AWS_DEFAULT_REGION": "us-east-1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in key.items():
            patch.setenv(name, value)
        with pytest.raises(Denied):
            CatalogClient(api.url, SignedRequests()).health()


def test_with_iam_commands_and_many_callers_at_once_are_served(home: dict[str, str]) -> None:
    api = status(Place(local_folder(home))).api

    type_commands(home)
    statuses = statuses_under_load(f"{api.url}/v1/healthz", SignedRequests(on_embedded_aws=True), 10)

    assert statuses == {"signed": {200: 10}, "forged": {403: 10}, "nobody": {403: 10}}


def test_curl_signs_as_local_status_says(home: dict[str, str]) -> None:
    command = [sys.executable, "-m", "infra.cli", "local", "status"]
    shown = subprocess.run(command, env=os.environ | home, cwd=ROOT, capture_output=True, text=True, check=True)
    [url] = re.findall(r"API +(http\S+)", shown.stdout)
    [options] = re.findall(r"curl (.*)", shown.stdout)
    done = subprocess.run(["curl", "-s", *options.split(), f"{url}/v1/healthz"], capture_output=True, check=True)

    assert b'"status":"ok"' in done.stdout


def test_with_jwt_it_answers_who_signed_in_alone(home: dict[str, str], sources: Sources) -> None:
    place = Place(local_folder(home))
    first = up(place, sources, Authorization.JWT)
    down(place, purge=False)
    api = up(place, sources, Authorization.JWT).api  # the people who may sign in outlive a stop
    pool = UserPool.open(first.run.endpoint_url)
    answer = pool.cognito.initiate_auth(
        AuthFlow="USER_PASSWORD_AUTH",
        ClientId=pool.client_id,
        AuthParameters={"USERNAME": USER, "PASSWORD": PASSWORD},
    )
    token = answer["AuthenticationResult"]["AccessToken"]

    assert CatalogClient(api.url, BearerToken(token)).health().status == "ok"
    assert status_of(f"{api.page_url}page/main.js") == 200
    assert status_of(f"{api.url}/v1/healthz") == 401
    head, claims, signature = token.split(".")
    forged = f"{head}.{claims}.{signature[::-1]}"
    for auth in (BearerToken(forged), SignedRequests(on_embedded_aws=True)):
        with pytest.raises(Denied):
            CatalogClient(api.url, auth).health()
    statuses = statuses_under_load(f"{api.url}/v1/healthz", BearerToken(token), 10)
    assert statuses == {"signed": {200: 10}, "forged": {401: 10}, "nobody": {401: 10}}
    type_commands(home)


def test_without_it_answers_everybody_again(home: dict[str, str], sources: Sources) -> None:
    place = Place(local_folder(home))
    api = up(place, sources).api

    assert status(place).api == api
    assert status_of(f"{api.url}/v1/healthz") == 200
    assert CatalogClient.of_stack(home).health().status == "ok"
