"""The function that sends results to those who wait, as it is deployed: wired from its environment."""

import os

from pipeline.aws.clients import client
from pipeline.aws.watchers import DynamoWatchers
from pipeline.aws.websocket import ApiGatewayConnections
from pipeline.clock import utc_now
from pipeline.front_settings import WatchSettings
from pipeline.keywords import Vocabulary
from results_sink.notify import Notifier, make_notify_handler

_settings = WatchSettings.from_environment(os.environ)
handler = make_notify_handler(
    Notifier(
        watchers=DynamoWatchers(client("dynamodb"), _settings.watchers_table_name),
        connections=ApiGatewayConnections(client("apigatewaymanagementapi", at=_settings.api.url)),
        vocabulary=Vocabulary.load(),
        clock=utc_now,
    )
)
