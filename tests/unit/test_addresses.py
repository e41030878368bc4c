"""Which addresses may be asked for a source."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.shared.fetching.addresses import may_be_asked, networks

PRIVATE = [
    "127.0.0.1", "127.1.2.3", "0.0.0.1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "192.88.99.1", "224.0.0.1", "239.1.1.1",
    "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1",
    "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::", "2002:a00:1::1", "2001:0:53aa:64c:0:7b01:80ff:fffe", "100::1", "localhost", "", "0x7f.1", "1.2.3",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_not_asked(address: str) -> None:
    assert not may_be_asked(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is(address: str) -> None:
    assert may_be_asked(address)


@given(st.ip_addresses(v=4))
def test_no_way_of_writing_a_private_address_makes_it_public(address: IPv4Address) -> None:
    number = int(address)
    written = [
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address((0x64FF9B << 96) | number),
        IPv6Address(0x2002 << 112 | number << 80),
    ]
    for one in written:
        assert not (may_be_asked(str(one)) and not may_be_asked(str(address)))


def test_further_networks_are_allowed_by_name_alone() -> None:
    allowed = networks(("127.0.0.0/8", "fd00::/8"))
    assert may_be_asked("127.0.0.1", allowed)
    assert may_be_asked("::ffff:127.0.0.1", allowed)
    assert may_be_asked("fd00::1", allowed)
    assert not may_be_asked("10.0.0.1", allowed)
    assert not may_be_asked("::1", allowed)
