//! Who calls: the address of the connection, or what trusted proxies say.

use std::net::{IpAddr, Ipv4Addr};

use http::header::FORWARDED;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use procura_protocol::forwarded::{caller, read_forwarded, read_x_forwarded_for};

use crate::connection::Peer;
use crate::network::Network;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that a request counts against, where it is not that of the connection; an extension of the
/// request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller(pub(crate) IpAddr);

/// The address that a request counts against; `None` when it came by no network.
pub(crate) fn of(extensions: &Extensions) -> Option<IpAddr> {
    let caller = extensions.get::<Caller>().map(|caller| caller.0);
    caller.or_else(|| extensions.get::<Peer>().map(|peer| peer.0))
}

/// Whose `Forwarded` or `X-Forwarded-For` is believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(pub Vec<Network>);

impl TrustedProxies {
    /// Whom a request from `peer` is from: the rightmost hop that is not a trusted proxy (RFC 7239 8.1).
    ///
    /// Whoever `is_proxy` came by a listener that only the operator's proxies reach, and is believed like those
    /// that are named. A proxy that sends both fields, or whose own entry can't be read, is believed in nothing: the
    /// request counts against its own address. One without an address has a bucket for all of these, so that no
    /// caller gets rid of the limits by what it sends. What others send is not looked at.
    pub(crate) fn caller(
        &self,
        (peer, is_proxy): (Option<IpAddr>, bool),
        headers: &HeaderMap,
    ) -> Option<IpAddr> {
        if !is_proxy && !peer.is_some_and(|peer| self.trusts(peer)) {
            return peer;
        }
        let values = |name| headers.get_all(name).iter().map(HeaderValue::as_bytes);
        let hops = match (headers.contains_key(FORWARDED), headers.contains_key(X_FORWARDED_FOR)) {
            (true, false) => read_forwarded(values(FORWARDED)),
            (false, true) => read_x_forwarded_for(values(X_FORWARDED_FOR)),
            (true, true) => Vec::new(),
            (false, false) => return peer,
        };
        let told = caller(&hops, |address| self.trusts(address));
        told.or(peer).or(is_proxy.then_some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(peer: &str, fields: &[(&'static str, &str)]) -> String {
        told((Some(peer.parse().unwrap()), false), fields).unwrap().to_string()
    }

    fn told(peer: (Option<IpAddr>, bool), fields: &[(&'static str, &str)]) -> Option<IpAddr> {
        let proxies = TrustedProxies(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        proxies.caller(peer, &headers)
    }

    #[test]
    fn a_trusted_proxy_says_who_calls_and_nobody_else_does() {
        let told = &[("x-forwarded-for", "192.0.2.1")][..];
        assert_eq!(found("10.0.0.1", told), "192.0.2.1");
        assert_eq!(found("198.51.100.1", told), "198.51.100.1");
        assert_eq!(found("10.0.0.1", &[("forwarded", "for=192.0.2.1")]), "192.0.2.1");
        assert_eq!(found("fd00::1", &[("forwarded", "for=\"[2001:db8::1]\"")]), "2001:db8::1");
        assert_eq!(found("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn whoever_comes_by_the_listener_of_proxies_is_one() {
        let (proxy, told_one) = (IpAddr::from([198, 51, 100, 1]), [("x-forwarded-for", "192.0.2.1")]);
        for peer in [None, Some(proxy)] {
            assert_eq!(told((peer, true), &told_one), Some([192, 0, 2, 1].into()));
            assert_eq!(
                told((peer, true), &[("x-forwarded-for", "somewhere, 192.0.2.1")]),
                Some([192, 0, 2, 1].into())
            );
            assert_eq!(told((peer, true), &[]), peer);
        }
        assert_eq!(told((None, false), &told_one), None);
    }

    #[test]
    fn nobody_behind_a_proxy_without_an_address_gets_rid_of_having_one() {
        let long = format!("{}192.0.2.1", "x, ".repeat(100));
        assert_eq!(told((None, true), &[("x-forwarded-for", &long)]), Some([192, 0, 2, 1].into()));
        for fields in [
            &[("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")][..],
            &[("x-forwarded-for", "192.0.2.1, somewhere")],
            &[("forwarded", "for=\"")],
            &[("forwarded", "for=unknown")],
        ] {
            assert_eq!(told((None, true), fields), Some(Ipv4Addr::UNSPECIFIED.into()), "{fields:?}");
        }
    }

    #[test]
    fn what_the_caller_wrote_before_the_proxy_is_not_believed() {
        let spoofed = [("x-forwarded-for", "203.0.113.7, 192.0.2.1, 10.0.0.2")];
        assert_eq!(found("10.0.0.1", &spoofed), "192.0.2.1");
        let two_fields = [("x-forwarded-for", "203.0.113.7"), ("x-forwarded-for", "192.0.2.1")];
        assert_eq!(found("10.0.0.1", &two_fields), "192.0.2.1");
    }

    #[test]
    fn a_proxy_that_can_not_be_understood_counts_itself() {
        for fields in [
            &[("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")][..],
            &[("x-forwarded-for", "192.0.2.1, somewhere")],
            &[("forwarded", "for=192.0.2.1,")],
            &[("forwarded", "for=")],
            &[("forwarded", "for=unknown")],
        ] {
            assert_eq!(found("10.0.0.1", fields), "10.0.0.1", "{fields:?}");
        }
    }
}
