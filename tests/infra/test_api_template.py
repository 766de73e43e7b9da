"""The API lets in whom it says, and nobody by accident."""

from __future__ import annotations

import re

from infra.openapi import whole_document
from infra.package import ROOT
from tests.infra.template_parts import default, of_type, properties, whole

ASKED = {"Fn::If": ["LetsEverybodyIn", "NONE", {"Fn::If": ["UsesJwt", "JWT", "AWS_IAM"]}]}
AUTHORIZER = {"Fn::If": ["UsesJwt", {"Ref": "HttpApiAuthorizer"}, {"Ref": "AWS::NoValue"}]}
PAGE_FOLDER = ROOT / "results_sink" / "page"
PAGE = {"PageFunctionIntegration"}  # holds nothing but itself: it asks the API in the name of who looks at it


def routes() -> dict[str, dict]:
    """Return what the template says of each route of the HTTP API."""
    return {
        name: route["Properties"]
        for name, route in of_type("AWS::ApiGatewayV2::Route").items()
        if route["Properties"]["ApiId"] == {"Ref": "HttpApi"}
    }


def test_every_route_asks_who_is_there_unless_it_shows_the_bare_page() -> None:
    for name, route in routes().items():
        target = re.search(r"\$\{(\w+)\}", route["Target"]["Fn::Sub"])
        assert target is not None
        if target[1] not in PAGE:
            assert route["AuthorizationType"] == ASKED, name
            assert route["AuthorizerId"] == AUTHORIZER, name


CHANGES_OF_AN_UPLOAD = ("PUT /v1/images/{bucket}/{key+}", "DELETE /v1/images/{bucket}/{key+}")


def test_by_default_requests_are_signed_and_only_the_embedded_aws_may_let_everybody_in() -> None:
    assert default("ApiAuthorization") == "AWS_IAM"
    assert whole()["Conditions"]["LetsEverybodyIn"] == {
        "Fn::And": [
            {"Fn::Equals": [{"Ref": "ApiAuthorization"}, "NONE"]},
            {"Fn::Equals": [{"Ref": "AWS::AccountId"}, "AWS::AccountId"]},
        ]
    }


def test_every_path_of_the_document_leads_to_a_function_whatever_the_method() -> None:
    keys = {route["RouteKey"] for route in routes().values()}
    api = {key.removeprefix("ANY ") for key in keys if key.startswith("ANY ")}

    assert "/v1/{proxy+}" in api  # whatever has no route of its own
    assert {path for path in api if "{" not in path} <= set(whole_document()["paths"])
    assert keys - {f"ANY {path}" for path in api} == {
        "GET /",
        "GET /page/{file}",
        "GET /docs",
        "GET /openapi.json",
        *CHANGES_OF_AN_UPLOAD,
    }


def test_a_path_leads_to_the_function_that_answers_it() -> None:
    """A path without a route of its own goes to the searches and lookups."""
    targets = {
        route["RouteKey"].removeprefix("ANY /v1"): re.sub(
            r".*\{(\w+)FunctionIntegration\}", r"\1", route["Target"]["Fn::Sub"]
        )
        for route in routes().values()
        if route["RouteKey"].startswith("ANY /v1")
    }

    assert targets == {
        "/{proxy+}": "Api",
        "/classify": "Classify",
        "/models": "Classify",
        "/thumbnails/{proxy+}": "Picture",
        "/duplicates": "Picture",
        "/uploads": "Upload",
        "/photos": "Desk",
        "/ratings": "Desk",
        "/status": "Desk",
        "/decisions": "Decide",
    }


def test_a_browser_may_call_from_the_websites_that_are_named_and_from_no_other() -> None:
    condition, named, otherwise = properties("HttpApi")["CorsConfiguration"]["Fn::If"]

    assert (condition, otherwise) == ("HasCorsOrigins", {"Ref": "AWS::NoValue"})
    assert named["AllowOrigins"] == {"Ref": "CorsOrigins"}
    assert default("CorsOrigins") == ""


def test_what_is_logged_of_a_request_is_not_what_was_searched() -> None:
    stage = properties("HttpApiStage")
    written = stage["AccessLogSettings"]["Format"]

    assert "$context.status" in written
    assert not re.search(r"path|query|header|identity|authorizer", written)
    assert stage["DefaultRouteSettings"] == {
        "ThrottlingBurstLimit": {"Ref": "ApiBurst"},
        "ThrottlingRateLimit": {"Ref": "ApiRequestsPerSecond"},
    }


def test_to_decide_needs_the_scope_that_is_named_and_nothing_else_does() -> None:
    needed = {"Fn::If": ["HasDecideScope", [{"Ref": "DecideScope"}], {"Ref": "AWS::NoValue"}]}
    scoped = {
        route["RouteKey"]: route["AuthorizationScopes"] for route in routes().values() if "AuthorizationScopes" in route
    }

    assert scoped == dict.fromkeys(("ANY /v1/decisions", *CHANGES_OF_AN_UPLOAD), needed)
    assert default("DecideScope") == ""
    assert whole()["Conditions"]["HasDecideScope"] == {
        "Fn::And": [
            {"Fn::Equals": [{"Ref": "ApiAuthorization"}, "JWT"]},
            {"Fn::Not": [{"Fn::Equals": [{"Ref": "DecideScope"}, ""]}]},
        ]
    }


def test_a_browser_may_send_photos_to_the_bucket_from_the_page_and_from_nowhere_else() -> None:
    [rule] = properties("ImagesBucket")["CorsConfiguration"]["CorsRules"]
    origin, own_domain = rule["AllowedOrigins"]

    assert rule["AllowedMethods"] == ["POST"]
    assert rule["AllowedHeaders"] == ["*"]  # a form with progress is asked for beforehand, with what it will send
    assert origin == {"Fn::Sub": "https://${HttpApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}"}
    assert own_domain["Fn::If"][:2] == ["HasDomain", {"Fn::Sub": "https://${DomainName}"}]
    assert whole()["Outputs"]["ApiUrl"]["Value"] == {"Fn::If": [*own_domain["Fn::If"][:2], origin]}


def test_the_page_shows_photos_without_reading_their_bytes_which_the_bucket_permits_nobody() -> None:
    texts = [path.read_text("utf-8") for path in PAGE_FOLDER.glob("*.js")]

    assert texts
    assert not [text for text in texts if re.search("crossorigin", text, re.IGNORECASE)]
