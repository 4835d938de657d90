//! Names to sign in with, and the networks people sign in from.
//! The normal form is that of the identity context: two names that a person could take for one are one.

use std::net::{IpAddr, Ipv6Addr};
use unicode_normalization::UnicodeNormalization;

/// NFKC, then lower case: what identity claims names by. Kept equal by a test, not by a dependency.
pub fn normal(name: &str) -> String {
    name.trim().nfkc().flat_map(char::to_lowercase).collect()
}

/// The network of an address: an IPv4 /24 or IPv6 /48. Nothing for what is not an address.
pub fn network(address: &str) -> Option<String> {
    match address.trim().parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            Some(format!("{a}.{b}.{c}.0/24"))
        }
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            Some(format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_are_one() {
        for name in ["Ada", " ada ", "ＡＤＡ", "ada"] {
            assert_eq!(normal(name), "ada");
        }
        assert_eq!(normal("STRASSE@Example.ORG"), "strasse@example.org");
        assert_eq!(normal("ﬁona"), "fiona");
        assert_eq!(normal("ΣΊΣΥΦΟΣ"), "σίσυφοσ");
    }

    #[test]
    fn a_network_is_all_that_is_kept_of_an_address() {
        assert_eq!(network("192.0.2.77").as_deref(), Some("192.0.2.0/24"));
        assert_eq!(network("::ffff:192.0.2.77").as_deref(), Some("192.0.2.0/24"));
        assert_eq!(network("2001:db8:7:8::9").as_deref(), Some("2001:db8:7::/48"));
        assert_eq!(network("unix"), None);
    }
}
