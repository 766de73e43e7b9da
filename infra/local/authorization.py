"""Who may call the local API: everybody, whoever signs as AWS asks, or whoever signs in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipeline.aws.clients import client
from pipeline.stack import STACK_NAME

# Of the embedded Amazon Cognito, which this machine alone reaches: as well known as the embedded AWS's key.
USER, PASSWORD = "operator", "Local-only-1"
ISSUER = "https://cognito-idp.us-east-1.amazonaws.com"  # what the embedded Cognito writes into its tokens
FLOWS = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]  # the first is for programs that have no browser


# The embedded AWS itself checks both kinds, so the functions know who signed in (DECISIONS.md, 100).
class Authorization(StrEnum):
    """How whoever calls the API proves who they are; the value is what a person types."""

    NONE = "none"
    IAM = "iam"
    JWT = "jwt"

    @property
    def parameter(self) -> str:
        """What the template calls it."""
        return "AWS_IAM" if self is Authorization.IAM else self.name

    @classmethod
    def of_parameter(cls, value: str) -> Authorization:
        """Return what the template's parameter says."""
        return next(kind for kind in cls if kind.parameter == value)


@dataclass(frozen=True)
class UserPool:
    """The people who may sign in, in the embedded Amazon Cognito, and the page's own client."""

    cognito: Any
    endpoint_url: str
    pool_id: str
    client_id: str

    @classmethod
    def open(cls, endpoint_url: str) -> UserPool:
        """Return the pool of this machine, which is made with its one user if there is none."""
        cognito = client("cognito-idp", endpoint_url)
        pools = cognito.list_user_pools(MaxResults=60)["UserPools"]
        pool_id = next((pool["Id"] for pool in pools if pool["Name"] == STACK_NAME), None) or _make_pool(cognito)
        clients = cognito.list_user_pool_clients(UserPoolId=pool_id)["UserPoolClients"]
        return cls(cognito, endpoint_url, pool_id, clients[0]["ClientId"])

    def parameters(self) -> Mapping[str, str]:
        """Return the template's parameters that name this pool."""
        return {
            "JwtIssuer": f"{ISSUER}/{self.pool_id}",
            "JwtAudience": self.client_id,
            "SignInUrl": self.endpoint_url,
        }

    def let_back_to(self, page_url: str) -> None:
        """Let people who signed in come back to the page."""
        self.cognito.update_user_pool_client(
            UserPoolId=self.pool_id,
            ClientId=self.client_id,
            ExplicitAuthFlows=FLOWS,
            CallbackURLs=[page_url],
            LogoutURLs=[page_url],
            AllowedOAuthFlows=["code"],
            AllowedOAuthFlowsUserPoolClient=True,
            AllowedOAuthScopes=["openid"],
            SupportedIdentityProviders=["COGNITO"],
        )


def _make_pool(cognito: Any) -> str:
    pool_id = str(cognito.create_user_pool(PoolName=STACK_NAME)["UserPool"]["Id"])
    cognito.create_user_pool_client(UserPoolId=pool_id, ClientName="page", ExplicitAuthFlows=FLOWS)
    cognito.admin_create_user(UserPoolId=pool_id, Username=USER, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(UserPoolId=pool_id, Username=USER, Password=PASSWORD, Permanent=True)
    return pool_id
