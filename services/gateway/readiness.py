"""Whether a document could be written: everybody who has to work on one is there, and a model answers."""

from __future__ import annotations

import os

import httpx2
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from schemas import subjects
from services.shared.bus import Bus
from services.shared.settings import Settings

NEEDED = (
    (subjects.FACTS, "conductor-facts-0", "conductor"),
    (subjects.JOBS, "ingester", "ingester"),
    (subjects.JOBS, "planner", "planner"),
    (subjects.JOBS, "writer-interactive", "writer"),
)
BAD_REQUEST = 400


async def missing(bus: Bus, settings: Settings, http: httpx2.AsyncClient) -> list[str]:
    """Plain words for each thing that is not there; empty: a document could be written."""
    if not bus.client.is_connected:
        return ["The bus is away."]
    absent: list[str] = []
    for stream, durable, service in NEEDED:
        try:
            info = await bus.js.consumer_info(stream, durable)
        except (NatsError, APIError, TimeoutError):
            absent.append(f"No {service} has come yet.")
            continue
        busy = (info.num_ack_pending or 0) > 0
        if not busy and not info.num_waiting:
            absent.append(f"No {service} is asking for work.")
    provider = settings.providers.get(settings.models.write[0].split("/", 1)[0])
    if provider is None:
        return [*absent, f"No provider is configured for {settings.models.write[0]}."]
    key = os.environ.get(provider.api_key_env or "", "")
    headers = {"x-api-key": key} if provider.protocol == "anthropic" else {"Authorization": f"Bearer {key}"}
    try:
        response = await http.get(f"{provider.base_url}/models", headers=headers if key else {})
    except httpx2.HTTPError:
        absent.append("The model's provider does not answer.")
    else:
        if response.status_code in {401, 403} or response.status_code >= BAD_REQUEST + 100:
            absent.append(f"The model's provider answers {response.status_code}.")
    return absent
