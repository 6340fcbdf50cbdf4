//! Where no agent connects, whatever it is allowed: there credentials of the machine are handed out, or it is no place
//! of one service.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

const fn v4(address: Ipv4Addr, prefix: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(address, prefix))
}

const fn v6(a: u16, b: u16, c: u16, d: u16, last: u16, prefix: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, last), prefix))
}

const LINK_LOCAL: &str = "link-local addresses, where clouds hand out credentials";
const METADATA: &str = "cloud metadata, where credentials are handed out";
const NOWHERE: &str = "the unspecified address";
const MULTICAST: &str = "multicast";

/// The ranges, and what they are.
const RANGES: [(IpNet, &str); 13] = [
    (v4(Ipv4Addr::new(169, 254, 0, 0), 16), LINK_LOCAL),
    (v4(Ipv4Addr::new(100, 100, 100, 200), 32), METADATA), // Alibaba Cloud
    (v4(Ipv4Addr::new(168, 63, 129, 16), 32), METADATA),   // Azure
    (v4(Ipv4Addr::new(192, 0, 0, 192), 32), METADATA),     // Oracle Cloud
    (v4(Ipv4Addr::UNSPECIFIED, 8), NOWHERE),
    (v4(Ipv4Addr::new(224, 0, 0, 0), 4), MULTICAST),
    (v4(Ipv4Addr::BROADCAST, 32), "broadcast"),
    (v6(0, 0, 0, 0, 0, 128), NOWHERE),
    (v6(0xfe80, 0, 0, 0, 0, 10), LINK_LOCAL),
    (v6(0xff00, 0, 0, 0, 0, 8), MULTICAST),
    (v6(0xfd00, 0xec2, 0, 0, 0, 32), METADATA), // AWS, with its DNS and time servers
    (v6(0xfd20, 0xce, 0, 0, 0x254, 128), METADATA), // Google Cloud
    (v6(0xfd00, 0x42, 0, 0, 0x42, 128), METADATA), // Scaleway
];

/// Names of metadata services; each stands for those below it, too.
const NAMES: [&str; 8] = [
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
    "metadata.azure.internal",
    "metadata.tencentyun.com",
    "metadata.packet.net",
    "metadata.platformequinix.com",
];

/// What an address is at which no agent connects, however it is written: an IPv6 address that stands for an IPv4
/// address is that, too.
pub(super) fn address(address: IpAddr) -> Option<&'static str> {
    let ranges = |address: IpAddr| {
        let range = RANGES.iter().find(move |(range, _)| range.contains(&address));
        range.map(|(_, what)| *what)
    };
    ranges(address).or_else(|| match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => embedded(address).into_iter().flatten().find_map(|v4| ranges(v4.into())),
    })
}

/// What a whole range is at which no agent connects.
pub(super) fn range(range: &IpNet) -> Option<&'static str> {
    RANGES.iter().find(|(never, _)| never.contains(range)).map(|(_, what)| *what)
}

/// What a name is at which no agent connects. In lower case, without a dot at its end.
pub(super) fn name(host: &str) -> Option<&'static str> {
    let below = |name: &&str| host.strip_suffix(*name).is_some_and(|r| r.is_empty() || r.ends_with('.'));
    NAMES.iter().any(below).then_some(METADATA)
}

/// The IPv4 addresses that an IPv6 address may lead to.
fn embedded(address: Ipv6Addr) -> [Option<Ipv4Addr>; 7] {
    let bits = address.to_bits();
    let at = |shift: u32| Ipv4Addr::from_bits((bits >> shift) as u32);
    let last = at(0);
    let starts = |prefix: u128, length: u32| bits >> (128 - length) == prefix;
    let loopback = address == Ipv6Addr::LOCALHOST;
    // ::a.b.c.d, ::ffff:a.b.c.d (mapped), ::ffff:0:a.b.c.d (RFC 2765), 64:ff9b::a.b.c.d (NAT64, RFC 6052)
    let plain = !loopback && [0, 0xffff, 0xffff_0000, 0x64_ff9b << 64].iter().any(|p| starts(*p, 96));
    // 64:ff9b:1::/48 (RFC 8215), with the address behind 48, 56, 64 or 96 bits; bits 64 to 71 are left out (RFC 6052).
    let local = starts(0x64_ff9b_0001, 48);
    let split = |before: u32| {
        let (high, low, rest) = ((bits >> 64) as u32, (bits >> (24 + before)) as u32, 32 - before);
        Ipv4Addr::from_bits(high << rest | low & ((1 << rest) - 1))
    };
    // Teredo (RFC 4380): the server's address, and the client's with every bit turned.
    let teredo = starts(0x2001_0000, 32);
    // ISATAP (RFC 5214): ...:0:5efe:a.b.c.d, ...:200:5efe:a.b.c.d
    let isatap = (bits >> 32) as u32 & !0x0300_0000 == 0x5efe;
    [
        (plain || isatap || local).then_some(last),
        local.then(|| split(16)),
        local.then(|| split(8)),
        local.then(|| at(24)),
        starts(0x2002, 16).then(|| at(80)),
        teredo.then(|| at(64)),
        teredo.then(|| Ipv4Addr::from_bits(!last.to_bits())),
    ]
}
