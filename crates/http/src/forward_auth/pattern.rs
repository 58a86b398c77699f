//! Patterns of paths: `/v1/clients/{client_id}/**`.

use procura_protocol::ids::ClientId;
use procura_protocol::original_uri::Segments;
use thiserror::Error;

/// The name in braces that marks where a client's id stands.
const CLIENT_ID: &str = "client_id";

/// Segments that a path must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    segments: Box<[Segment]>,
    text: Box<str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    /// These characters, decoded.
    Literal(Box<str>),
    /// Any one segment that is not empty.
    Any,
    /// The same, and it is a client's id.
    Client,
    /// Whatever is left, also nothing. Always the last.
    Rest,
}

/// How a path and a pattern go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// The path is one that the pattern describes.
    Fits,
    /// It would be to a server that ignores case or a slash at the end.
    Nearly,
    /// It is not.
    No,
}

/// Why a text is no pattern; completes "it ...".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidPattern {
    /// It does not begin with a slash.
    #[error("must begin with a slash")]
    NoSlash,
    /// `**` before the end.
    #[error("may have ** as its last segment only")]
    RestNotLast,
    /// Two slashes in a row, or a segment of dots.
    #[error("has a segment that no path has: empty, . or ..")]
    Segment,
    /// Something that stands in no decoded segment, or has a meaning that patterns do not have.
    #[error(
        "has a character that a pattern can't have: write segments decoded, a whole segment as {{name}} for any \
         one, and ** for the rest"
    )]
    Character,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// [`InvalidPattern`].
    pub fn parse(text: &str) -> Result<Pattern, InvalidPattern> {
        let mut pieces = text.strip_prefix('/').ok_or(InvalidPattern::NoSlash)?.split('/').peekable();
        let mut segments = Vec::new();
        while let Some(piece) = pieces.next() {
            let is_last = pieces.peek().is_none();
            segments.push(match piece {
                "**" if is_last => Segment::Rest,
                "**" => return Err(InvalidPattern::RestNotLast),
                "" if !is_last => return Err(InvalidPattern::Segment),
                "." | ".." => return Err(InvalidPattern::Segment),
                other => Segment::parse(other)?,
            });
        }
        Ok(Pattern { segments: segments.into(), text: text.into() })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How often a client's id stands in it.
    pub(super) fn clients(&self) -> usize {
        self.segments.iter().filter(|segment| **segment == Segment::Client).count()
    }

    /// How a path goes with it.
    pub(super) fn fit(&self, mut path: Segments<'_>) -> Fit {
        let mut fit = Fit::Fits;
        let mut pattern = self.segments.iter();
        while let Some(segment) = pattern.next() {
            if *segment == Segment::Rest {
                return fit;
            }
            let Some(here) = path.next() else {
                // A path that lacks no more than the slash at the end.
                let lacks_slash = segment.is_empty() && pattern.next().is_none();
                return if lacks_slash { Fit::Nearly } else { Fit::No };
            };
            match segment {
                Segment::Literal(literal) if **literal == *here => {}
                Segment::Literal(literal) if literal.to_lowercase() == here.to_lowercase() => {
                    fit = Fit::Nearly;
                }
                Segment::Any | Segment::Client if !here.is_empty() => {}
                _ => return Fit::No,
            }
        }
        match (path.next(), path.next()) {
            (None, _) => fit,
            (Some(slash), None) if slash.is_empty() => Fit::Nearly,
            _ => Fit::No,
        }
    }

    /// The client's id in a path that fits.
    pub(super) fn client(&self, path: Segments<'_>) -> Option<ClientId> {
        if self.fit(path.clone()) != Fit::Fits {
            return None;
        }
        let found = self.segments.iter().zip(path).find(|(segment, _)| **segment == Segment::Client);
        found.and_then(|(_, here)| ClientId::parse(&here).ok())
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Segment, InvalidPattern> {
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(CLIENT_ID) => Ok(Segment::Client),
            Some(name) if is_name(name) => Ok(Segment::Any),
            _ if text.contains(|c: char| c.is_control() || "{}*%?#\\;".contains(c)) => {
                Err(InvalidPattern::Character)
            }
            _ => Ok(Segment::Literal(text.into())),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Segment::Literal(text) if text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use procura_protocol::original_uri::OriginalUri;

    use super::*;

    fn fit(pattern: &str, path: &str) -> Fit {
        let uri = OriginalUri::read(path.as_bytes()).unwrap();
        Pattern::parse(pattern).unwrap().fit(uri.segments())
    }

    #[test]
    fn a_pattern_is_literals_any_one_segment_and_the_rest() {
        let fits = [
            ("/", "/"),
            ("/v1", "/v1"),
            ("/v1/", "/v1/"),
            ("/v1/{id}", "/v1/%C3%98"),
            ("/v1/{id}/x", "/v1/a/x"),
            ("/**", "/"),
            ("/**", "/a/b/"),
            ("/v1/**", "/v1"),
            ("/v1/**", "/v1/"),
            ("/v1/**", "/v1/a/b"),
            ("/Øre", "/%C3%98re"),
            ("/v1", "/%761"),
        ];
        for (pattern, path) in fits {
            assert_eq!(fit(pattern, path), Fit::Fits, "{pattern} {path}");
        }
        let other = [
            ("/v1", "/v2"),
            ("/v1", "/"),
            ("/v1", "/v1/a"),
            ("/v1/{id}", "/v1"),
            ("/v1/{id}", "/v1/"),
            ("/v1/{id}", "/v1/a/b"),
            ("/v1/**", "/v11"),
            ("/v1/a/b", "/v1/a"),
        ];
        for (pattern, path) in other {
            assert_eq!(fit(pattern, path), Fit::No, "{pattern} {path}");
        }
    }

    #[test]
    fn what_a_server_may_take_for_the_path_is_near() {
        let near = [
            ("/v1", "/V1"),
            ("/v1", "/v1/"),
            ("/v1/", "/v1"),
            ("/v1/{id}", "/v1/a/"),
            ("/v1/**", "/V1/a"),
            ("/øre", "/%C3%98re"),
        ];
        for (pattern, path) in near {
            assert_eq!(fit(pattern, path), Fit::Nearly, "{pattern} {path}");
        }
    }

    #[test]
    fn a_client_is_found_where_it_stands_and_only_if_all_fits() {
        let pattern = Pattern::parse("/clients/{client_id}/**").unwrap();
        let client = |path: &str| {
            let uri = OriginalUri::read(path.as_bytes()).unwrap();
            pattern.client(uri.segments()).map(|client| client.as_str().to_owned())
        };
        assert_eq!(client("/clients/CLI1/quotes").as_deref(), Some("CLI1"));
        assert_eq!(client("/clients/CLI%31").as_deref(), Some("CLI1"));
        for path in
            ["/clients/", "/clients", "/Clients/CLI1", "/client/CLI1", "/clients/a%20b", "/clients/app_x"]
        {
            assert_eq!(client(path), None, "{path}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_told_why() {
        let wrong = [
            ("v1", InvalidPattern::NoSlash),
            ("", InvalidPattern::NoSlash),
            ("/**/a", InvalidPattern::RestNotLast),
            ("//a", InvalidPattern::Segment),
            ("/a/../b", InvalidPattern::Segment),
            ("/a*", InvalidPattern::Character),
            ("/a%20b", InvalidPattern::Character),
            ("/a{id}", InvalidPattern::Character),
            ("/{}", InvalidPattern::Character),
            ("/a?b=c", InvalidPattern::Character),
        ];
        for (text, why) in wrong {
            assert_eq!(Pattern::parse(text), Err(why), "{text}");
        }
    }
}
