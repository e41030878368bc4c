"""Under which names the gateway may be asked."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from services.gateway.guard import OwnNamesOnly

OK = 200


async def _app(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": OK, "headers": []})


def _answer(
    *hosts: str, public_url: str | None = "https://docs.example.org/x", names: tuple[str, ...] = ("Gateway",)
) -> Any:
    """The status, and the problem's detail."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError

    scope = {"type": "http", "method": "GET", "headers": [(b"host", host.encode("latin-1")) for host in hosts]}
    asyncio.run(OwnNamesOnly(_app, public_url, names)(scope, receive, send))
    detail = msgspec.json.decode(sent[1]["body"])["detail"] if len(sent) > 1 else ""
    return sent[0]["status"], detail


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "localhost:8080", "LOCALHOST.", "scriptorium.localhost:1", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080", "[::1]",
        "192.168.1.7:8080", "docs.example.org", "docs.example.org:443", "Docs.Example.org.", "gateway:8080",
    ],
)  # fmt: skip
def test_its_own_names_and_addresses_are_answered(host: str) -> None:
    assert _answer(host) == (OK, "")


@pytest.mark.parametrize(
    "host",
    [
        "attacker.example", "attacker.example:8080", "localhost.attacker.example", "127.0.0.1.attacker.example", "notlocalhost",
        "docs.example.org.attacker.example", "0x7f.1", "2130706433", "x.docs.example.org", "gateway.attacker.example",
    ],
)  # fmt: skip
def test_another_name_that_leads_here_is_refused_and_told_what_to_set(host: str) -> None:
    status, detail = _answer(host)
    assert status == 421
    assert "gateway.hosts" in detail


@pytest.mark.parametrize(
    "hosts",
    [(), ("",), ("localhost", "attacker.example"), ("user@localhost",), ("localhost:x",), ("localhost/x",), ("localhost#x",), ("[::1",), (":80",)],
)  # fmt: skip
def test_no_host_two_hosts_and_what_is_none_are_no_request(hosts: tuple[str, ...]) -> None:
    assert _answer(*hosts)[0] == 400


def test_without_settings_only_this_machines_names_are_answered() -> None:
    assert _answer("localhost", public_url=None, names=())[0] == OK
    assert _answer("docs.example.org", public_url=None, names=())[0] == 421
