"""Who asks is verified from client to answer: signed with AWS's signature, or signed in with a token."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.local.signatures import GatewayRequest, SignatureAuthorizer
from pipeline.errors import CallerError, Denied
from pipeline.http.client import AsyncCatalogClient, BearerToken, CatalogClient, SignedRequests
from pipeline.images import ImageRef
from pipeline.memory.files import MemoryFiles
from tests.gateway import TokenAuthorizer, gateway, statuses_under_load
from tests.results_sink.asking import Asker
from tests.results_sink.small_shop import exported

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.http.resolver import HttpHandler

KEY, SECRET, REGION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-central-1"
ISSUER, APP, SCOPE = "https://issuer.example", "the-page", "shop/decide"


@pytest.fixture(scope="module")
def handler(tmp_path_factory: pytest.TempPathFactory) -> HttpHandler:
    """Searches and lookups of the small shop."""
    work: Path = tmp_path_factory.mktemp("export")
    files = MemoryFiles()
    exported(files, work)
    return Asker(files, work).caller.handler


# ---- AWS Signature Version 4 ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def signed_address(handler: HttpHandler) -> Iterator[str]:
    with gateway(handler, SignatureAuthorizer({KEY: SECRET}, REGION)) as address:
        yield address


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    return monkeypatch


def test_the_verifier_agrees_with_the_example_of_aws() -> None:
    """The example of the specification's own documentation, signature and all."""
    scope = "20150830/us-east-1/iam/aws4_request"
    signature = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    request = GatewayRequest(
        "GET",
        "/",
        "Action=ListUsers&Version=2010-05-08",
        {
            "content-type": "application/x-www-form-urlencoded; charset=utf-8",
            "host": "iam.amazonaws.com",
            "x-amz-date": "20150830T123600Z",
            "authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, "
            f"SignedHeaders=content-type;host;x-amz-date, Signature={signature}",
        },
        b"",
    )
    verify = SignatureAuthorizer({KEY: SECRET}, "us-east-1", "iam", lambda: datetime(2015, 8, 30, 12, 36, tzinfo=UTC))

    assert verify(request)["iam"]["userArn"].endswith(KEY)
    for changed in ({"query": "Action=ListUsers"}, {"method": "POST"}, {"body": b"x"}, {"path": "/x"}):
        with pytest.raises(Denied):
            verify(replace(request, **changed))


def test_the_query_of_readme_is_answered_with_a_signature(credentials: Any, signed_address: str) -> None:
    assert CatalogClient(signed_address).search("footwear AND NOT boot", language="de").total > 0


@pytest.mark.parametrize(
    "query",
    [
        "boot",
        "boot AND NOT chair",
        '"rocking chair"',
        "Stiefel & Schuhe",
        "a+b",
        "50% off",
        "é",
        "靴",
        "~*'()!",
        "a=b&c=d",
    ],
)
def test_any_query_is_signed_as_it_is_sent(credentials: Any, signed_address: str, query: str) -> None:
    with suppress(CallerError):  # the query may be wrong, but its signature is not
        CatalogClient(signed_address).search(query)


@given(query=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_query_at_all_is_signed_wrongly(credentials: Any, signed_address: str, query: str) -> None:
    with suppress(CallerError):
        CatalogClient(signed_address).suggest(query)


@pytest.mark.parametrize("key", ["crane é.jpg", "50% off.jpg", "a+b.jpg", "a b/c&d=e.jpg", "~.jpg"])
def test_any_path_is_signed_as_it_is_sent(credentials: Any, signed_address: str, key: str) -> None:
    image = CatalogClient(signed_address).image(ImageRef("shop", key))

    assert (image is not None) is (key == "crane é.jpg")


@pytest.mark.parametrize("query", ["q=boot&language=", "q=boot&q=boot", "q=boot&by", "language=de&q=boot"])
def test_empty_values_and_repeated_names_are_signed_as_they_are_sent(
    credentials: Any, signed_address: str, query: str
) -> None:
    response = httpx.get(f"{signed_address}/v1/search?{query}", auth=SignedRequests())

    assert response.status_code in {200, 400}


def test_a_body_is_signed_and_async_signs_alike(credentials: Any, signed_address: str) -> None:
    async def ask() -> list[str]:
        client = AsyncCatalogClient(signed_address)
        products = await client.products(["boot", "ünbekannt"])
        return products.missing + [result.product async for result in client.results("boot")]

    assert CatalogClient(signed_address).products(["boot", "ünbekannt"]).missing == ["ünbekannt"]
    assert asyncio.run(ask()) == ["ünbekannt", "boot", "both"]


def test_curl_signs_as_readme_says(signed_address: str) -> None:
    """With the names of the query in order: curl before 8.3 signs them as they stand, and AWS sorts them."""
    command = ["curl", "-s", "--aws-sigv4", f"aws:amz:{REGION}:execute-api", "--user", f"{KEY}:{SECRET}"]
    done = subprocess.run(
        [*command, f"{signed_address}/v1/search?language=de&q=Stiefel"], capture_output=True, check=True
    )

    assert json.loads(done.stdout)["total"] == 2


def test_a_wrong_key_region_or_no_signature_is_denied(credentials: pytest.MonkeyPatch, signed_address: str) -> None:
    with pytest.raises(Denied):
        CatalogClient(signed_address, auth=None).health()
    credentials.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with pytest.raises(Denied):
        CatalogClient(signed_address).health()
    credentials.setenv("AWS_DEFAULT_REGION", REGION)
    credentials.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(Denied):
        CatalogClient(signed_address).health()


def test_a_signature_with_a_plus_for_a_space_is_refused_as_aws_refuses_it(
    credentials: Any, signed_address: str
) -> None:
    """What made the difference: AWS signs %20, and a plus in a query is a plus."""
    sent = f"{signed_address}/v1/search?q=boot%20chair"
    request = httpx.Request("GET", sent)
    signed = next(SignedRequests().auth_flow(request))
    plus = httpx.Request("GET", sent.replace("%20", "+"), headers=signed.headers)

    with httpx.Client() as http:
        assert http.send(signed).status_code != 403
        assert http.send(plus).status_code == 403


def test_under_load_each_request_is_let_in_for_its_own_signature_alone(credentials: Any, signed_address: str) -> None:
    statuses = statuses_under_load(f"{signed_address}/v1/search?q=rocking%20chair", SignedRequests(), 30)

    assert statuses == {"signed": {200: 30}, "forged": {403: 30}, "nobody": {403: 30}}


# ---- Tokens ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def private_key() -> Any:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def token_address(handler: HttpHandler, private_key: Any) -> Iterator[str]:
    jwk = jwt.PyJWK({**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(private_key.public_key())), "alg": "RS256"})
    authorize = TokenAuthorizer(ISSUER, (APP,), {"one": jwk}, {"/v1/products:batch": SCOPE})
    with gateway(handler, authorize) as address:
        yield address


def token(private_key: Any, kid: str = "one", **changed: Any) -> str:
    claims = {"iss": ISSUER, "aud": APP, "exp": time.time() + 60, "sub": "anna", "scope": f"openid {SCOPE}"} | changed
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, private_key, "RS256", {"kid": kid})


def test_a_token_lets_in_whom_the_issuer_knows(private_key: Any, token_address: str) -> None:
    for good in (token(private_key), token(private_key, aud=None, client_id=APP), token(private_key, aud=["x", APP])):
        client = CatalogClient(token_address, auth=BearerToken(good))
        assert client.search("footwear AND NOT boot").total > 0
        assert client.products(["boot"]).missing == []


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": "another-app"},
        {"exp": 1},
        {"exp": None},
        {"nbf": 4102444800},
        {"kid": "two"},
    ],
)
def test_a_token_that_is_stale_or_somebody_elses_is_refused(
    private_key: Any, token_address: str, changed: dict[str, Any]
) -> None:
    with pytest.raises(Denied):
        CatalogClient(token_address, auth=BearerToken(token(private_key, **changed))).health()


def test_a_token_that_another_key_signed_or_none_is_refused(token_address: str) -> None:
    forged = token(rsa.generate_private_key(65537, 2048))
    for auth in (BearerToken(forged), BearerToken("x.y.z"), None):
        with pytest.raises(Denied):
            CatalogClient(token_address, auth=auth).health()


def test_a_path_that_needs_a_scope_refuses_a_token_without_it(private_key: Any, token_address: str) -> None:
    client = CatalogClient(token_address, auth=BearerToken(token(private_key, scope="openid")))

    assert client.health().status == "ok"
    with pytest.raises(Denied):
        client.products(["boot"])


def test_under_load_each_request_is_let_in_for_its_own_token_alone(private_key: Any, token_address: str) -> None:
    auth = BearerToken(token(private_key))

    statuses = statuses_under_load(f"{token_address}/v1/search?q=rocking%20chair", auth, 30)

    assert statuses == {"signed": {200: 30}, "forged": {401: 30}, "nobody": {401: 30}}
