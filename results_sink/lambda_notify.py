"""The function that sends results to those who wait, as it is deployed: wired from its environment."""

import os

from pipeline.aws.clients import client
from pipeline.aws.watchers import DynamoWatchers
from pipeline.aws.websocket import ApiGatewayConnections
from pipeline.clock import utc_now
from pipeline.front_settings import ApiPlace
from pipeline.keywords import Vocabulary
from pipeline.settings import required
from results_sink.notify import Notifier, make_notify_handler

handler = make_notify_handler(
    Notifier(
        watchers=DynamoWatchers(client("dynamodb"), required(os.environ, "WATCHERS_TABLE_NAME")),
        connections=ApiGatewayConnections(
            client("apigatewaymanagementapi", at=ApiPlace.from_environment(os.environ, "WATCH").url)
        ),
        vocabulary=Vocabulary.load(),
        clock=utc_now,
    )
)
