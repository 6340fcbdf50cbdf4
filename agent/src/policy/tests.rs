use super::*;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use proptest::prelude::*;

fn targets(rules: &str) -> Targets {
    Targets::new(rules.split(',').map(|rule| rule.parse().unwrap_or_else(|e| panic!("{e}"))).collect())
}

fn default() -> Targets {
    Targets::default()
}

#[test]
fn rules_are_shown_as_they_can_be_written() {
    let check = |text: &str, shown: &str| {
        let rule: Rule = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(rule.to_string(), shown);
        assert_eq!(shown.parse::<Rule>().as_ref(), Ok(&rule), "{shown}");
    };
    check("api.example.com", "api.example.com");
    check(" API.Example.com.:443 ", "api.example.com:443");
    check("*.example.com:8000-8999", "*.example.com:8000-8999");
    check("bücher.example", "xn--bcher-kva.example");
    check("my_service", "my_service");
    check("203.0.113.7", "203.0.113.7");
    check("203.0.113.7:1-65535", "203.0.113.7:1-65535");
    check("203.0.113.7/32:*", "203.0.113.7");
    check("10.0.0.0/8:443", "10.0.0.0/8:443");
    check("::1", "::1");
    check("[::1]", "::1");
    check("[::1]:8080", "[::1]:8080");
    check("fd00::/8", "fd00::/8");
    check("fd00::/8:443", "[fd00::/8]:443");
    check("[fd00::/8]:443", "[fd00::/8]:443");
    check("::ffff:10.0.0.1", "10.0.0.1");
    check("[::ffff:10.0.0.0/104]:80", "10.0.0.0/8:80");
    check("0.0.0.0/0", "0.0.0.0/0");
    check("loopback:8000", "loopback:8000");
    check("Private", "private");
    check("*", "any");
    check("any:443", "any:443");
    check("unix", "unix");
    check("unix:/run/api.sock", "unix:/run/api.sock");
    check("unix.example.com", "unix.example.com");
}

#[test]
fn what_is_no_rule_is_refused_with_the_remedy() {
    let check = |text: &str, expected: &str| match text.parse::<Rule>() {
        Ok(rule) => panic!("{text} is {rule}"),
        Err(why) => assert!(why.contains(expected), "{text}: {why}"),
    };
    check("", "write a host (api.example.com");
    check("http://example.com", "write its host, and its port if need be: example.com:443");
    check("example.com:", "`` in `example.com:` is no port from 1 to 65535, as in :443 or :8000-8999");
    check("example.com:0", "is no port");
    check("example.com:65536", "is no port");
    check("example.com:+80", "is no port");
    check("example.com:90-80", "`90-80` in `example.com:90-80` is no port");
    check("example.com/8", "is no range of addresses");
    check("10.0.0.0/33", "is no range of addresses");
    check("10.1.2.3/8", "has bits behind its prefix; write 10.0.0.0/8 for the range, or 10.1.2.3");
    check("[::1", "has no `]`");
    check("[10.0.0.1]:80", "is not an IPv6 address");
    check("[::1]80", "is not an IPv6 address");
    check("a..b", "is no host");
    check("a b", "is no host");
    check("*.*.example.com", "is no host");
    check("exa*mple.com", "is no host");
    check("0x7f.1", "is an odd way to write 127.0.0.1; write that");
    check("2130706433", "is an odd way to write 127.0.0.1");
    check("unix:api.sock", "is no port");
    check("unix:/run/../etc/x", "goes back with `..`");
    for text in [
        "169.254.169.254",
        "169.254.169.254:80",
        "169.254.0.0/16",
        "169.254.169.0/24",
        "[fd00:ec2::254]:80",
        "fe80::/10",
        "224.0.0.1",
        "0.0.0.0",
        "::",
        "255.255.255.255",
        "100.100.100.200",
        "168.63.129.16",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "metadata.google.internal",
        "Metadata.Google.Internal.:80",
        "*.metadata.google.internal",
    ] {
        check(text, "can never be allowed: ");
    }
}

#[test]
fn addresses_are_allowed_by_ranges_and_ports() {
    let check = |targets: &Targets, allowed: &[&str], others: &[&str]| {
        let allows = |address: &&&str| {
            let address: SocketAddr = address.parse().expect("an address");
            targets.check(&address.ip().to_string(), Found::Here, address).is_ok()
        };
        assert_eq!(allowed.iter().filter(allows).collect::<Vec<_>>(), allowed.iter().collect::<Vec<_>>());
        assert_eq!(others.iter().filter(allows).collect::<Vec<_>>(), Vec::<&&str>::new(), "{targets}");
    };
    check(
        &default(),
        &[
            "127.0.0.1:80",
            "127.255.255.255:1",
            "[::1]:80",
            "[::ffff:127.0.0.1]:80",
            "10.0.0.1:443",
            "172.16.0.1:1",
            "172.31.255.255:1",
            "192.168.1.1:65535",
            "[fd12:3456::1]:80",
            "[fc00::1]:80",
            "[::ffff:10.0.0.1]:80",
        ],
        &[
            "8.8.8.8:80",
            "172.32.0.1:1",
            "192.169.0.1:1",
            "100.64.0.1:80",
            "[2001:db8::1]:80",
            "[::ffff:8.8.8.8]:80",
            "[2002:7f00:1::]:80",
            "[64:ff9b::a00:1]:80",
        ],
    );
    check(&targets("10.0.0.0/8:443"), &["10.9.9.9:443"], &["10.9.9.9:80", "11.0.0.1:443", "127.0.0.1:443"]);
    check(&targets("private,203.0.113.7:80-81"), &["10.1.1.1:9", "203.0.113.7:81"], &["203.0.113.7:82"]);
    check(&targets("[::1]:8080"), &["[::1]:8080"], &["[::1]:80", "127.0.0.1:8080"]);
    check(&targets("any"), &["8.8.8.8:53", "10.0.0.1:1", "[2001:db8::1]:80"], &["169.254.1.1:80"]);
    check(&targets("any:443"), &["8.8.8.8:443"], &["8.8.8.8:80"]);
    check(&targets("0.0.0.0/0"), &["8.8.8.8:53"], &["169.254.169.254:80", "[2001:db8::1]:80"]);
    check(&targets("::/0"), &["[2001:db8::1]:80"], &["8.8.8.8:53", "[fd00:ec2::254]:80"]);
    check(&targets("unix,example.com"), &[], &["127.0.0.1:80", "8.8.8.8:80"]);
}

#[test]
fn names_allow_what_this_machine_resolves() {
    let public: SocketAddr = "203.0.113.7:443".parse().expect("an address");
    let check = |rules: &str, host: &str, found: Found, allowed: bool| {
        assert_eq!(targets(rules).check(host, found, public).is_ok(), allowed, "{rules} {host} {found:?}");
    };
    check("shop.test", "shop.test", Found::Here, true);
    check("shop.test", "SHOP.test.", Found::Here, true);
    check("shop.test:443", "shop.test", Found::Here, true);
    check("shop.test:80", "shop.test", Found::Here, false);
    check("shop.test", "a.shop.test", Found::Here, false);
    check("shop.test", "other.test", Found::Here, false);
    check("*.shop.test", "a.b.shop.test", Found::Here, true);
    check("*.shop.test", "shop.test", Found::Here, false);
    check("*.shop.test", "ashop.test", Found::Here, false);
    // A coordinator could give any address to a name that is allowed.
    check("shop.test", "shop.test", Found::ByPlan, false);
    check("shop.test,203.0.113.0/24", "shop.test", Found::ByPlan, true);
    check("any", "shop.test", Found::ByPlan, true);
}

#[test]
fn refusals_name_the_place_the_rule_and_the_remedy() {
    let at = |address: &str| address.parse::<SocketAddr>().expect("an address");
    let check = |refusal: Result<(), String>, expected: &str| assert_eq!(refusal, Err(expected.to_owned()));
    check(
        default().check("shop.test", Found::Here, at("203.0.113.7:443")),
        "203.0.113.7:443 (`shop.test`) is not in --allow-target loopback,private (the default); start the \
         agent with --allow-target loopback,private,shop.test:443",
    );
    check(
        targets("10.0.0.0/8").check("8.8.8.8", Found::Here, at("8.8.8.8:80")),
        "8.8.8.8:80 is not in --allow-target 10.0.0.0/8; start the agent with --allow-target \
         10.0.0.0/8,8.8.8.8:80",
    );
    check(
        targets("shop.test").check("shop.test", Found::ByPlan, at("[2001:db8::1]:80")),
        "[2001:db8::1]:80 (`shop.test` by the plan's `resolve`) is not in --allow-target \
         shop.test; start the agent with --allow-target shop.test,[2001:db8::1]:80",
    );
    check(
        targets("any").check("meta.test", Found::Here, at("[::ffff:169.254.169.254]:80")),
        "no agent ever connects to [::ffff:169.254.169.254]:80 (`meta.test`): link-local addresses, where clouds hand \
         out credentials; no --allow-target changes that",
    );
    check(
        default().check_socket("/run/api.sock"),
        "the Unix socket /run/api.sock is not in --allow-target loopback,private (the default); start the \
         agent with --allow-target loopback,private,unix:/run/api.sock",
    );
    check(
        default().check_behind_proxy("shop.test", 80, "10.0.0.9:3128"),
        "`shop.test:80` (resolved by the proxy 10.0.0.9:3128) is not in --allow-target loopback,private (the \
         default); start the agent with --allow-target loopback,private,shop.test:80",
    );
    let many = (0..99).map(|n| format!("10.0.0.{n}/32")).collect::<Vec<_>>().join(",");
    let refusal = targets(&many).check("x.test", Found::Here, at("8.8.8.8:80")).expect_err("not allowed");
    assert!(refusal.contains("…; start the agent with x.test:80 added to that"), "{refusal}");
    let long = "x".repeat(300);
    for refusal in [default().check(&long, Found::Here, at("8.8.8.8:80")), default().check_socket(&long)] {
        let refusal = refusal.expect_err("not allowed");
        assert!(refusal.chars().count() < 300, "{refusal}");
    }
}

#[test]
fn sockets_need_a_rule() {
    let check = |rules: &str, allowed: bool| {
        assert_eq!(targets(rules).check_socket("/run/api.sock").is_ok(), allowed, "{rules}");
    };
    check("unix", true);
    check("unix:/run/api.sock", true);
    check("unix:/run/other.sock", false);
    check("any", false);
    assert!(Targets::anywhere().check_socket("/run/api.sock").is_ok());
}

#[test]
fn behind_a_proxy_names_need_a_rule_of_their_own() {
    let check = |rules: &str, host: &str, allowed: bool| {
        let checked = targets(rules).check_behind_proxy(host, 80, "10.0.0.9:3128");
        assert_eq!(checked.is_ok(), allowed, "{rules} {host}: {checked:?}");
    };
    check("private", "10.0.0.1", true);
    check("private", "8.8.8.8", false);
    check("private", "api.private.test", false);
    check("0.0.0.0/0,::/0", "api.private.test", false);
    check("loopback", "localhost", false);
    check("localhost", "localhost", true);
    check("any", "api.test", true);
    check("any", "169.254.169.254", false);
    check("any", "0xA9FEA9FE", false);
    check("any", "2852039166", false);
    check("any", "0251.0376.0251.0376", false);
    check("any", "fd00:ec2::254", false);
    check("any", "metadata.google.internal", false);
    check("any", "METADATA.google.internal.", false);
    check("any", "a.metadata.google.internal", false);
    check("any", "notmetadata.google.internal", true);
}

#[test]
fn the_line_at_the_start_says_all() {
    let policy = Policy { targets: default(), ..Policy::open(1000) };
    assert_eq!(policy.to_string(), "targets: loopback,private; at most 1000 users");
    let policy = Policy {
        targets: targets("shop.test:443"),
        max_rps: NonZero::new(50),
        max_run_time: Some(Duration::from_mins(90)),
        ..policy
    };
    let expected = "targets: shop.test:443; at most 1000 users, 50 requests/s, runs of 1h30m";
    assert_eq!(policy.to_string(), expected);
}

/// Addresses at which no agent connects.
fn forbidden() -> impl Strategy<Value = Ipv4Addr> {
    prop_oneof![
        any::<[u8; 2]>().prop_map(|[c, d]| Ipv4Addr::new(169, 254, c, d)),
        any::<[u8; 3]>().prop_map(|[b, c, d]| Ipv4Addr::new(0, b, c, d)),
        (224_u8..240, any::<[u8; 3]>()).prop_map(|(a, [b, c, d])| Ipv4Addr::new(a, b, c, d)),
        Just(Ipv4Addr::new(100, 100, 100, 200)),
        Just(Ipv4Addr::new(168, 63, 129, 16)),
        Just(Ipv4Addr::BROADCAST),
    ]
}

/// Every IPv6 address that stands for `v4`.
fn standing_for(v4: Ipv4Addr) -> Vec<Ipv6Addr> {
    let bits = u128::from(v4.to_bits());
    let (high, low) = (bits >> 16, bits & 0xffff);
    let nat64 = 0x64_ff9b_u128 << 96;
    let local = nat64 | 1 << 80;
    [
        bits,
        0xffff << 32 | bits,
        0xffff << 48 | bits,
        nat64 | bits,
        local | bits,
        local | high << 64 | low << 40,
        local | (bits >> 24) << 64 | (bits & 0xff_ffff) << 32,
        local | bits << 24,
        0x2002 << 112 | bits << 80,
        0x2001_0000 << 96 | bits << 64,
        0x2001_0000 << 96 | u128::from(!v4.to_bits()),
        0x2001_0db8 << 96 | 0x5efe << 32 | bits,
    ]
    .into_iter()
    .map(Ipv6Addr::from_bits)
    .filter(|address| *address != Ipv6Addr::LOCALHOST)
    .collect()
}

proptest! {
    #[test]
    fn no_spelling_of_a_forbidden_address_passes(v4 in forbidden(), port: u16, by_plan: bool) {
        let found = if by_plan { Found::ByPlan } else { Found::Here };
        let addresses = standing_for(v4).into_iter().map(IpAddr::from).chain([IpAddr::from(v4)]);
        for address in addresses {
            let at = SocketAddr::new(address, port);
            for host in ["any.test", &address.to_string()] {
                prop_assert!(Targets::anywhere().check(host, found, at).is_err(), "{at} {host}");
            }
            let text = address.to_string();
            let upper = text.to_ascii_uppercase();
            for host in [&text, &upper] {
                let checked = Targets::anywhere().check_behind_proxy(host, port, "p");
                prop_assert!(checked.is_err(), "{host}");
                prop_assert!(host.parse::<Rule>().is_err(), "{host}");
            }
        }
        let [a, b, c, d] = v4.octets();
        let bits = v4.to_bits();
        for host in [
            format!("{bits}"),
            format!("0x{bits:x}"),
            format!("0X{bits:X}"),
            format!("0{bits:o}"),
            format!("{a}.{}", bits & 0xff_ffff),
            format!("{a}.{b}.{}", bits & 0xffff),
            format!("0x{a:x}.0{b:o}.{c}.0x{d:X}"),
            format!("{a}.{b}.{c}.{d}."),
            format!("0x{bits:x}."),
        ] {
            let checked = Targets::anywhere().check_behind_proxy(&host, port, "p");
            prop_assert!(checked.is_err(), "{host}");
            prop_assert!(host.parse::<Rule>().is_err(), "{host}");
        }
    }

    #[test]
    fn what_is_written_never_makes_it_panic(text in "[0-9a-fx.:/\\[\\]*%_-]{0,40}|\\PC{0,20}") {
        if let Ok(rule) = text.parse::<Rule>() {
            prop_assert_eq!(rule.to_string().parse::<Rule>(), Ok(rule));
        }
        let _ = Targets::default().check_behind_proxy(&text, 80, &text);
    }
}
