"""Paths of the realtime prefix."""

from django.urls import path, re_path

from realtime.sockets import no_such_path, websocket

websocket_urlpatterns = [
    path("realtime/ws", websocket),  # type: ignore[arg-type]
    re_path(r"", no_such_path),  # type: ignore[arg-type]
]
