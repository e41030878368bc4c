"""Which addresses on the network may be asked for a source. Pure.

A server that fetches what a stranger names is asked, sooner or later, for its own metadata service, its neighbours, itself (OWASP,
server-side request forgery). Only addresses of the public internet are asked; whoever runs Scriptorium may allow further networks.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Within these, an IPv4 address is written: what is behind it is what counts. RFC 6052 (NAT64), RFC 4291 §2.5.5.1 (compatible).
_EMBEDDING: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("::/96"))
# IETF protocol assignments, RFC 6890; 6to4 relays, RFC 7526; site-local, RFC 3879.
_FURTHER_REFUSED: Final = (IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"), IPv6Network("fec0::/10"))


def networks(given: Iterable[str]) -> tuple[Network, ...]:
    """As the settings spell them, `127.0.0.0/8`. ValueError."""
    return tuple(ip_network(text) for text in given)


def may_be_asked(address: str, allowed: Iterable[Network] = ()) -> bool:
    """Whether a connection may be made to this address. What is no address may not."""
    try:
        # A zone names an interface of this machine (RFC 4007 §11): such an address is never public.
        parsed = ip_address(address)
    except ValueError:
        return False
    meant = _meant(parsed)
    if any(one in network for one in {parsed, meant} for network in allowed if network.version == one.version):
        return True
    return meant.is_global and not _is_special(meant)


def _is_special(address: Address) -> bool:
    return (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or any(address in network for network in _FURTHER_REFUSED if network.version == address.version)
    )


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, where it does."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _EMBEDDING) and int(address) > 1:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
