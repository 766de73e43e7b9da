"""People sign in at an issuer: the template's JWT authorization, with Amazon Cognito as the embedded AWS plays it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from infra.local import emulator
from infra.local.place import Place
from infra.local.run import Sources, down, up
from infra.package import ROOT, TEMPLATE
from pipeline.aws.clients import client
from tests.page.conftest import LIMIT_MS, note_faults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.page.conftest import Site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SCOPE = "shop/decide"
PASSWORD = "Correct-Horse-9"
ANSWERED = "catalog-tagger.tokens"


@dataclass(frozen=True)
class SignedShop:
    """A stack whose API takes nobody who is not signed in, and the pool of people who may."""

    url: str
    pool: str
    app: str
    cognito: Any
    bucket: str
    s3: Any
    host: str
    issuer: str

    def permit(self, *scopes: str) -> None:
        """Let the page come back to its address with these scopes."""
        self.cognito.update_user_pool_client(
            UserPoolId=self.pool,
            ClientId=self.app,
            CallbackURLs=[self.url],
            LogoutURLs=[self.url],
            AllowedOAuthFlows=["code"],
            AllowedOAuthFlowsUserPoolClient=True,
            AllowedOAuthScopes=["openid", *scopes],
            SupportedIdentityProviders=["COGNITO"],
        )

    def status_of(self, path: str, token: str = "", said: object = None) -> int:
        """Ask as a program would, or say something, and return what the answer's status is."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {} if said is None else {"Content-Type": "application/json"}
        body = None if said is None else json.dumps(said).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, body, headers), timeout=40) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            return refused.code


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, real_model: Path) -> Iterator[SignedShop]:
    folder = tmp_path_factory.mktemp("sign-in")
    place = Place(folder / "local")
    try:
        run = emulator.start(place, emulator.free_port(None))
        cognito = client("cognito-idp", run.endpoint_url)
        pool = cognito.create_user_pool(PoolName="people")["UserPool"]["Id"]
        cognito.create_resource_server(
            UserPoolId=pool,
            Identifier="shop",
            Name="shop",
            Scopes=[{"ScopeName": "decide", "ScopeDescription": "pin and suppress"}],
        )
        app = cognito.create_user_pool_client(UserPoolId=pool, ClientName="page")["UserPoolClient"]["ClientId"]
        cognito.admin_create_user(UserPoolId=pool, Username="mina", MessageAction="SUPPRESS")
        cognito.admin_set_user_password(UserPoolId=pool, Username="mina", Password=PASSWORD, Permanent=True)
        parameters = {
            "ApiAuthorization": "JWT",
            "JwtIssuer": f"https://cognito-idp.us-east-1.amazonaws.com/{pool}",
            "JwtAudience": app,
            # Another origin than the page's, as on AWS: what the page's policy forbids is seen here.
            "SignInUrl": run.endpoint_url.replace("127.0.0.1", "localhost"),
            "DecideScope": SCOPE,
        }
        done = up(place, Sources(TEMPLATE, ROOT, real_model), parameters=parameters)
        yield SignedShop(
            done.api.page_url,
            pool,
            app,
            cognito,
            done.stack.images_bucket,
            client("s3", done.run.endpoint_url),
            done.run.endpoint_url,
            parameters["SignInUrl"],
        )
    finally:
        down(place, purge=True)


@pytest.fixture
def page(browser: Any, shop: SignedShop) -> Iterator[Any]:
    """A page in which nothing goes wrong, and that talks to the shop and the issuer only."""
    context = browser.new_context(locale="en-GB")
    context.set_default_timeout(LIMIT_MS)
    page, wrong = context.new_page(), []
    note_faults(page, wrong, shop.host, shop.issuer)
    yield page
    context.close()
    assert wrong == []


def signed_in(page: Any, shop: SignedShop, view: str) -> dict[str, str]:
    """Open a view, sign in at the issuer on the way, and return the tokens that the page got."""
    page.goto(f"{shop.url}#/{view}")
    page.fill("input[name=username]", "mina")
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url(f"{shop.url}#/{view}")
    page.wait_for_selector("#main h1")
    tokens: dict[str, str] = json.loads(page.evaluate(f"sessionStorage.getItem('{ANSWERED}')"))
    return tokens


def test_nobody_is_let_in_without_a_token_and_the_page_itself_holds_nothing_of_the_shop(shop: SignedShop) -> None:
    assert {shop.status_of(path) for path in ("v1/search?q=shoe", "v1/status", "v1/keywords", "v1/images/a/b.jpg")} == {
        401
    }
    assert shop.status_of("v1/search?q=shoe", "not.a.token") == 401
    assert {shop.status_of(path) for path in ("", "page/main.js", "page/settings.json")} == {200}


def status_of_a_decision(shop: SignedShop, token: str) -> int:
    """Ask to suppress a keyword on a photo that nobody knows, and return what the answer's status is."""
    said = {"image": f"s3://{shop.bucket}/none.jpg", "keyword": "running shoe", "decision": "suppress"}
    return shop.status_of("v1/decisions", token, {"decisions": [said]})


def test_who_signs_in_comes_back_to_the_view_they_opened_and_works_there(
    shop: SignedShop, site: Site, page: Any
) -> None:
    shop.permit(SCOPE)
    tokens = signed_in(page, shop, "upload")
    assert shop.status_of("v1/keywords", tokens["access"]) == 200
    assert status_of_a_decision(shop, tokens["access"]) == 404  # may decide, if there were such a photo
    assert status_of_a_decision(shop, "") == 401

    page.set_input_files("#files", str(site.photos["twin-lens-camera"]))
    page.click(".upload.done a")
    page.wait_for_selector(".keywords li")
    page.click(".keywords [aria-label^=Suppress]")
    decided = page.wait_for_selector(".decisions li:has(button)")
    assert "mina" in decided.inner_text()

    page.click("text=Sign out")
    page.wait_for_selector("input[name=username]")


def test_who_lacks_the_scope_may_rate_and_may_not_decide(shop: SignedShop, site: Site, page: Any) -> None:
    shop.permit(SCOPE)
    # What the issuer leaves out of a token, this person may not do.
    page.route(
        "**/oauth2/authorize?*", lambda route: route.continue_(url=route.request.url.replace("shop%2Fdecide", ""))
    )
    tokens = signed_in(page, shop, "upload")
    page.set_input_files("#files", str(site.photos["twin-lens-camera"]))
    page.click(".upload.done a")
    page.wait_for_selector(".keywords li")

    assert (status_of_a_decision(shop, tokens["access"]), shop.status_of("v1/keywords", tokens["access"])) == (403, 200)
    assert page.query_selector(".keywords [aria-label^=Suppress]") is None
    page.fill("#missing", "rolleiflex")
    page.click("text=Tell us")
    page.wait_for_selector("text=Your rating is kept")


def test_a_token_whose_time_is_over_is_renewed_without_anybody_noticing(shop: SignedShop, page: Any) -> None:
    shop.permit(SCOPE)
    first = signed_in(page, shop, "status")
    page.evaluate(
        f"""() => {{
          const kept = JSON.parse(sessionStorage.getItem('{ANSWERED}'));
          sessionStorage.setItem('{ANSWERED}', JSON.stringify({{...kept, access: 'old', since: 0}}));
        }}"""
    )
    with page.expect_response("**/oauth2/token"):
        page.click("nav >> text=Search")
    page.wait_for_selector("#q")
    page.wait_for_load_state("networkidle")
    renewed = json.loads(page.evaluate(f"sessionStorage.getItem('{ANSWERED}')"))
    assert shop.status_of("v1/keywords", renewed["access"]) == 200
    assert renewed["since"] > first["since"]
    assert page.url == f"{shop.url}#/search"


def test_requests_that_are_refused_together_all_go_on_with_the_one_new_token(shop: SignedShop, page: Any) -> None:
    shop.permit(SCOPE)
    signed_in(page, shop, "upload")
    renewals: list[str] = []
    page.on("request", lambda request: renewals.append(request.url) if "/oauth2/token" in request.url else None)
    # The second one's refusal comes when the new token is there already.
    told = page.evaluate(
        f"""async () => {{
          const kept = JSON.parse(sessionStorage.getItem('{ANSWERED}'));
          sessionStorage.setItem('{ANSWERED}', JSON.stringify({{...kept, access: 'old', since: 0}}));
          const ask = (await import(new URL("page/api.js", document.baseURI))).ask;
          const fetched = window.fetch;
          window.fetch = async (address, how) => {{
            const answer = await fetched(address, how);
            const late = String(address).endsWith("keywords") && answer.status === 401;
            if (late) await new Promise((resolve) => setTimeout(resolve, 2000));
            return answer;
          }};
          return (await Promise.all([ask("GET", "models"), ask("GET", "keywords")])).map((each) => Object.keys(each));
        }}"""
    )
    assert "models" in told[0]
    assert "keywords" in told[1]
    assert len(renewals) == 1


def test_whose_tokens_are_gone_is_asked_to_sign_in_by_the_next_thing_they_do(shop: SignedShop, page: Any) -> None:
    shop.permit(SCOPE)
    signed_in(page, shop, "upload")
    page.evaluate(f"sessionStorage.removeItem('{ANSWERED}')")  # as after signing out, and then back
    page.click("nav >> text=Status")
    page.wait_for_selector("input[name=username]")


def test_who_is_refused_is_told_and_not_sent_to_and_fro(shop: SignedShop, page: Any) -> None:
    shop.permit()  # the issuer does not know the scope that the page asks for
    page.goto(f"{shop.url}#/search")
    page.wait_for_selector("[role=alert]")
    assert "You could not be signed in" in page.inner_text("[role=alert]")
    assert page.url == f"{shop.url}#/search"
    page.click("text=Try again")
    page.wait_for_selector("[role=alert]")


def test_an_answer_that_nobody_asked_for_signs_nobody_in(shop: SignedShop, page: Any) -> None:
    shop.permit(SCOPE)
    page.goto(f"{shop.url}?code=somebody-elses&state=guessed")
    page.wait_for_selector("input[name=username]")
    assert page.evaluate(f"sessionStorage.getItem('{ANSWERED}')") is None
