"""`/metrics` in Prometheus' text format."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from starlette.responses import Response

from services.gateway.hub import Hubs
from services.gateway.leases import Leases


def exposition(hubs: Hubs, leases: Leases) -> Response:
    """What this gateway holds, read when asked."""
    registry = CollectorRegistry()
    running = hubs.all
    for name, help_, value in (
        ("scriptorium_gateway_hubs", "Documents followed", len(running)),
        ("scriptorium_gateway_viewers", "Open event streams", sum(len(hub.viewers) for hub in running)),
        ("scriptorium_gateway_leases", "Viewer leases held", leases.documents),
        ("scriptorium_gateway_skips", "Times a slow viewer skipped to a snapshot", sum(hub.skipped for hub in running)),
    ):
        Gauge(name, help_, registry=registry).set(value)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
