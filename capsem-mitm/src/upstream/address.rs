//! Addresses a guest must not reach: everything that is not a public unicast destination.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 blocks that are closed: network, prefix length, what it is (IANA special-purpose registry).
const V4: [(Ipv4Addr, u32, &str); 15] = [
    (Ipv4Addr::UNSPECIFIED, 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "carrier-grade NAT"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "for protocol assignments"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "a 6to4 relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "for benchmarks"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// IPv6 blocks that are closed although they lie within global unicast.
const V6: [(Ipv6Addr, u32, &str); 3] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "for protocol assignments, Teredo among them"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "6to4"),
];

/// What makes an address unreachable for a guest; `None` for a public one.
pub(super) fn closed_class(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => v4_class(address),
        IpAddr::V6(address) => v6_class(address),
    }
}

fn v4_class(address: Ipv4Addr) -> Option<&'static str> {
    let bits = u32::from(address);
    V4.iter()
        .find(|(network, length, _)| (bits ^ u32::from(*network)) >> (32 - length) == 0)
        .map(|(.., class)| *class)
}

fn v6_class(address: Ipv6Addr) -> Option<&'static str> {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return v4_class(mapped).or(Some("an IPv4 address in IPv6 form"));
    }
    let bits = u128::from(address);
    // Of all IPv6, 2000::/3 alone is global unicast: loopback, link-local, unique-local, multicast,
    // NAT64 and the IPv4-compatible forms lie outside it.
    if bits >> 125 != 1 {
        return Some("not global unicast");
    }
    V6.iter()
        .find(|(network, length, _)| (bits ^ u128::from(*network)) >> (128 - length) == 0)
        .map(|(.., class)| *class)
}

#[cfg(test)]
mod tests;
