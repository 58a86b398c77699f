//! Where a request goes, as a label: one of the paths of the server, never what a caller wrote.

use procura_protocol::paths;

/// One of [`paths::ALL`], or none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route(usize);

/// Up to where each path's variable part begins.
const BEGINNINGS: [&str; paths::ALL.len()] = {
    let mut beginnings = paths::ALL;
    let mut at = 0;
    while at < beginnings.len() {
        beginnings[at] = beginning(beginnings[at]);
        at += 1;
    }
    beginnings
};

const fn beginning(path: &'static str) -> &'static str {
    let mut end = 0;
    while end < path.len() && path.as_bytes()[end] != b'{' {
        end += 1;
    }
    path.split_at(end).0
}

impl Route {
    /// How many there are.
    pub const COUNT: usize = paths::ALL.len() + 1;

    /// The one that a path goes to.
    pub fn of(path: &str) -> Route {
        let goes = |at: &usize| {
            let (whole, beginning) = (paths::ALL[*at], BEGINNINGS[*at]);
            match path.strip_prefix(beginning) {
                Some(rest) => rest.is_empty() == (whole.len() == beginning.len()) && fits(whole, rest),
                None => false,
            }
        };
        Route((0..paths::ALL.len()).find(goes).unwrap_or(paths::ALL.len()))
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Route> {
        (0..Route::COUNT).map(Route)
    }

    /// The path with its variables, or `other`.
    pub fn name(self) -> &'static str {
        paths::ALL.get(self.0).copied().unwrap_or("other")
    }

    pub(crate) fn index(self) -> usize {
        self.0
    }

    /// Asked by the operator's own programs alone, for everybody.
    pub(crate) fn is_for_operators(self) -> bool {
        [paths::HEALTH_LIVE, paths::HEALTH_READY, paths::FORWARD_AUTH].contains(&self.name())
    }
}

/// Whether what follows the beginning may: a variable is one segment, but behind a policy's name stands the
/// target of another request.
fn fits(whole: &str, rest: &str) -> bool {
    rest.is_empty() || whole.ends_with('}') && (whole == paths::FORWARD_AUTH || !rest.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_of_the_server_is_a_route_of_its_own() {
        for path in paths::ALL {
            let asked = path.replace("{contact_id}", "CON1").replace("{policy}", "quotes");
            assert_eq!(Route::of(&asked).name(), path);
        }
        assert_eq!(Route::of("/forward-auth/quotes/a/b").name(), paths::FORWARD_AUTH);
        for path in ["/", "/tokens", "/token/", "/token/a/b", "/contacts/", "/pin", "/ping/", "/pingpong", ""]
        {
            assert_eq!(Route::of(path).name(), "other", "{path}");
        }
        assert_eq!(Route::all().count(), Route::COUNT);
    }

    #[test]
    fn only_health_and_forward_auth_are_never_refused_by_address() {
        let never: Vec<_> = Route::all().filter(|route| route.is_for_operators()).map(Route::name).collect();
        assert_eq!(never, [paths::FORWARD_AUTH, paths::HEALTH_LIVE, paths::HEALTH_READY]);
    }
}
