"""Keys for others: each is as good as the first, until it is taken back; and none of them is ever shown again."""

from __future__ import annotations

import asyncio

from services.gateway.access import KEYS_MAX
from tests.integration.gateways import GatewayProcess
from tests.system import create


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def test_a_key_passed_on_changes_the_document_until_it_is_taken_back(house: GatewayProcess) -> None:
    http = house.client
    made = await create(http, brief="B", outline={"sections": [{"id": "a", "heading": "A"}]})
    http.cookies.clear()
    path, first = f"/api/documents/{made['id']}", _bearer(made["key"])
    assert (await http.post(f"{path}/keys")).status_code == 401
    assert (await http.get(f"{path}/key")).json() == {"may_change": False}

    answer = await http.post(f"{path}/keys", headers=first)
    assert answer.headers["cache-control"] == "no-store"
    second = _bearer(answer.json()["key"])
    assert (await http.get(f"{path}/key", headers=second)).json() == {"may_change": True}
    assert (await http.patch(path, json={"title": "By both"}, headers=second)).status_code == 200
    assert (await http.delete(f"{path}/keys", headers=second)).status_code == 403, "only the first takes others back"

    entered = await http.post(f"{path}/key", headers=second)
    assert entered.status_code == 204
    cookie = next(line for line in entered.headers.get_list("set-cookie") if line.startswith("scriptorium-key="))
    for part in ("HttpOnly", "SameSite=strict", f"Path={path}"):
        assert part in cookie
    assert (await http.patch(path, json={"title": "By cookie"})).status_code == 200

    assert (await http.delete(f"{path}/keys", headers=first)).status_code == 204
    assert (await http.get(f"{path}/key", headers=second)).json() == {"may_change": False}
    assert (await http.patch(path, json={"title": "No more"}, headers=second)).status_code == 403
    assert (await http.post(f"{path}/key", headers=second)).status_code == 403
    assert (await http.patch(path, json={"title": "Mine"}, headers=first)).status_code == 200


async def test_keys_made_at_once_are_all_good_and_they_are_not_without_number(house: GatewayProcess) -> None:
    http = house.client
    made = await create(http, brief="B", outline={"sections": [{"id": "a", "heading": "A"}]})
    path, first = f"/api/documents/{made['id']}", _bearer(made["key"])
    answers = await asyncio.gather(*(http.post(f"{path}/keys", headers=first) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {201}
    keys = {answer.json()["key"] for answer in answers}
    for key in keys:
        assert (await http.get(f"{path}/key", headers=_bearer(key))).json() == {"may_change": True}
    for _ in range(KEYS_MAX - 1 - len(keys)):
        assert (await http.post(f"{path}/keys", headers=first)).status_code == 201
    assert (await http.post(f"{path}/keys", headers=first)).status_code == 409


async def test_another_sites_page_gets_no_key(house: GatewayProcess) -> None:
    http = house.client
    made = await create(http, brief="B", outline={"sections": [{"id": "a", "heading": "A"}]})
    path = f"/api/documents/{made['id']}"
    foreign = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    assert (await http.post(f"{path}/keys", headers=foreign)).status_code == 403
    assert (await http.get(f"{path}/key", headers=foreign)).json() == {"may_change": False}
