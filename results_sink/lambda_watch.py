"""The function that lets browsers watch, as it is deployed: wired from its environment."""

import os

from pipeline.aws.clients import client
from pipeline.aws.dynamodb import DynamoTable
from pipeline.aws.watchers import DynamoWatchers
from pipeline.aws.websocket import ApiGatewayConnections
from pipeline.clock import utc_now
from pipeline.front_settings import WatchSettings
from pipeline.keywords import Vocabulary
from results_sink.notify import Notifier, WatchAdmission, make_watch_handler

_settings = WatchSettings.from_environment(os.environ)
_dynamodb = client("dynamodb")
handler = make_watch_handler(
    WatchAdmission(
        Notifier(
            watchers=DynamoWatchers(_dynamodb, _settings.watchers_table_name),
            connections=ApiGatewayConnections(client("apigatewaymanagementapi", at=_settings.api.url)),
            vocabulary=Vocabulary.load(),
            clock=utc_now,
        ),
        DynamoTable(_dynamodb, _settings.table_name),
    )
)
