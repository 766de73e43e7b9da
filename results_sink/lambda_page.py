"""The function that gives out the page, as it is deployed: wired from its environment."""

import os
from pathlib import Path

from pipeline.front_settings import PageSettings
from pipeline.http.document import load_document
from pipeline.http.resolver import Resolver, make_http_handler
from pipeline.telemetry import make_logger
from results_sink.http.page_files import AllowedHosts, PageFiles, add_routes

_settings = PageSettings.from_environment(os.environ)
_page = PageFiles(
    Path(__file__).with_name("page"),
    {
        "watch": f"wss://{_settings.watch.host}{_settings.watch.path}"
        if _settings.watch.host
        else _settings.watch.path,
        "sign_in": _settings.sign_in_url,
        "client": _settings.sign_in_client,
        "scope": f"openid {_settings.decide_scope}".rstrip(),
        "decide_scope": _settings.decide_scope,
    },
    AllowedHosts(
        photos=_settings.photo_hosts,
        watch=f"wss://{_settings.watch.host}" if _settings.watch.host else "",
        sign_in=_settings.sign_in_url,
    ),
    load_document,
)
_app = Resolver(make_logger("page").error)
add_routes(_app, _page)
handler = make_http_handler(_app)
