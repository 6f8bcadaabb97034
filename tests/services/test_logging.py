from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from recsys.services.logging import blot, choose_request_id, configure_logging
from tests.partners.assertions import assert_problem


@pytest.fixture
def lines() -> Iterator[Any]:
    """What the handlers of the real configuration write, as parsed JSON lines."""
    config = configure_logging(form="json")
    handler_config = config["formatters"]["structured"]
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=handler_config["processors"], foreign_pre_chain=handler_config["foreign_pre_chain"]
    )
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.addHandler(handler)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.removeHandler(handler)


@pytest.mark.parametrize("inbound", ["a" * 8, "0192f0c1-7b1e-7000-8000-0123456789ab", "01J0_abc-DEF", "a" * 64])
def test_a_well_formed_id_is_kept(inbound: str) -> None:
    assert choose_request_id(inbound) == inbound
    assert Client().get("/healthz", HTTP_X_REQUEST_ID=inbound).headers["X-Request-ID"] == inbound


@pytest.mark.parametrize(
    "inbound", ["", "short", "a" * 65, "a b c d e f", 'x"},{"level":"x', "id\nlevel=x", "-" * 10, "ïïïïïïïïïï"]
)
def test_other_ids_are_replaced(inbound: str) -> None:
    chosen = choose_request_id(inbound)
    assert chosen != inbound
    assert re.fullmatch("[0-9a-f]{32}", chosen)


def test_each_request_has_its_own_id() -> None:
    first, second = (Client().get("/healthz").headers["X-Request-ID"] for _ in range(2))
    assert first != second


@pytest.mark.django_db
def test_the_end_of_a_request_is_one_line_without_its_address(lines: Any) -> None:
    response = Client().get("/api/v1/users/ana%40example.org?secret=hunter2", HTTP_USER_AGENT="spy")
    assert_problem(response, 401)
    (line,) = [line for line in lines() if line["event"] == "request_finished"]
    assert line["request_id"] == response.headers["X-Request-ID"]
    assert (line["method"], line["status"], line["level"]) == ("GET", 401, "info")
    assert line["route"] == "api/v1/users/<name:external_id>"
    assert line["ms"] >= 0
    text = json.dumps(lines())
    assert not any(word in text for word in ("ana", "hunter2", "spy", "127.0.0.1"))


def test_a_stray_host_is_one_line_and_no_traceback(lines: Any, client: Client) -> None:
    assert client.get("/healthz", HTTP_HOST="stray.example.net").status_code == 400
    assert [line["event"] for line in lines()] == ["request_finished"]


def test_nothing_of_a_request_is_left_for_the_next(lines: Any) -> None:
    Client().get("/healthz")
    structlog.get_logger("tests").info("between")
    assert "request_id" not in lines()[-1]


def test_both_kinds_of_loggers_write_the_same_lines(lines: Any) -> None:
    with structlog.contextvars.bound_contextvars(request_id="abc"):
        structlog.get_logger("one").warning("hello", number=5)
        logging.getLogger("two").warning("hello %s", "world", extra={"number": 5})
    first, second = lines()
    assert (first["event"], second["event"]) == ("hello", "hello world")
    for line in (first, second):
        assert (line["level"], line["number"], line["request_id"]) == ("warning", 5, "abc")
        assert line["timestamp"].endswith("Z")


def test_an_exception_is_one_line(lines: Any) -> None:
    try:
        raise RuntimeError("broken\nin two")
    except RuntimeError:
        logging.getLogger("tests").exception("oh")
    (line,) = lines()
    assert "RuntimeError: broken" in line["exception"]


def test_secrets_are_blotted_out_of_names_and_texts(lines: Any) -> None:
    logger = structlog.get_logger("tests")
    key = "trib_0123456789ab_" + "c0ffee" * 8
    logger.info(f"got {key}", password="hunter2", api_key="x", Authorization="y", email="ana@example.org", text=key)
    logging.getLogger("tests").info("connecting to postgres://ana:hunter2@db/x with Bearer abcdefghijkl")
    message = f"duplicate key\nDETAIL:  Key (email)=(ana@example.org) already exists. {key}"
    try:
        raise ValueError(message)
    except ValueError:
        logger.exception("failed")
    text = json.dumps(lines())
    for secret in ("hunter2", "c0ffee", "ana@example.org", "abcdefghijkl"):
        assert secret not in text
    assert "trib_0123456789ab_…" in lines()[0]["event"]
    assert "postgres://ana:…@db/x" in lines()[1]["event"]


def test_blotting_leaves_other_text_alone() -> None:
    text = "https://example.org/a?b=c@d 12:30 tribute_abc"
    assert blot(text) == text


@pytest.mark.parametrize("arguments", [{"form": "xml"}, {"level": "LOUD"}])
def test_a_wrong_setting_says_what_is_possible(arguments: dict[str, str]) -> None:
    with pytest.raises(ImproperlyConfigured, match="auto, json, console"):
        configure_logging(**arguments)
    structlog.reset_defaults()
    configure_logging()
