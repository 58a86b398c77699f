//! Paths that two readers could read as two contacts.

use crate::adapter::{ContactRole, Door};
use crate::answer::Why;
use crate::attempt::encoded;
use crate::case::{Cases, Stop};

/// The path in place of `/token/{id}`: `{at}` is what stands before the contact, `{id}` the contact, `{other}` one that
/// the application may not act for, `{second}` one that it may.
const PATHS: &[(&str, &str, &str)] = &[
    ("path-encoded-letter", "an encoded letter", "{at}{first}"),
    ("path-encoded-slash", "an encoded slash", "{at}x%2F{id}"),
    ("path-encoded-slash-behind", "an encoded slash behind", "{at}{id}%2F"),
    ("path-encoded-twice", "a letter that is encoded twice", "{at}{twice}"),
    ("path-dot-segments", "dot segments", "{at}x/../{id}"),
    ("path-dot-segments-to-other", "dot segments to another contact", "{at}{id}/../{second}"),
    ("path-encoded-dots", "encoded dot segments", "{at}{id}/%2e%2e/{second}"),
    ("path-encoded-dots-whole", "dot segments that are encoded with their slash", "{at}{id}%2f..%2f{second}"),
    ("path-dot", "a dot", "{at}./{id}"),
    ("path-two-slashes", "two slashes", "{at}/{id}"),
    ("path-slash-behind", "a slash behind", "{at}{id}/"),
    ("path-more-behind", "a segment more", "{at}{id}/{second}"),
    ("path-semicolon", "a parameter in the segment", "{at}{id};a=b"),
    ("path-semicolon-dots", "a parameter that hides dot segments", "{at}{id}/..;/{second}"),
    ("path-backslash", "a backslash", "{at}x\\..\\{id}"),
    ("path-encoded-backslash", "an encoded backslash", "{at}x%5c..%5c{id}"),
    ("path-nul", "NUL", "{at}{id}%00"),
    ("path-nul-more", "NUL and more", "{at}{id}%00{second}"),
    ("path-line-feed", "a line feed", "{at}{id}%0a"),
    ("path-header", "an end of line and a header", "{at}{id}%0d%0aX-Contact-ID:%20{second}"),
    ("path-space", "an encoded space", "{at}{id}%20"),
    ("path-plus", "a plus", "{at}{id}+"),
    ("path-overlong", "an overlong dot", "{at}%c0%ae%c0%ae/{id}"),
    ("path-not-utf8", "bytes that are no UTF-8", "{at}{id}%ff"),
    ("path-half-escape", "an escape that breaks off", "{at}{id}%2"),
    ("path-bad-escape", "an escape that is none", "{at}{id}%zz"),
    ("path-wide-letter", "an escape of another standard", "{at}%u0043{id}"),
    ("path-question", "an encoded question mark", "{at}{id}%3Fclients=x"),
    ("path-hash", "an encoded number sign", "{at}{id}%23{second}"),
    ("path-capitals", "the path in capitals", "{upper}{id}"),
    ("path-extension", "an extension", "{at}{id}.json"),
    ("path-wildcard", "a star", "{at}*"),
    ("path-dots-alone", "two dots alone", "{at}.."),
    ("path-encoded-dots-alone", "two encoded dots alone", "{at}%2e%2e"),
    ("path-template", "the template itself", "{at}{contact_id}"),
    ("path-template-encoded", "the encoded template itself", "{at}%7Bcontact_id%7D"),
    ("path-very-long", "eight thousand letters", "{at}{long}"),
    ("path-absolute", "a whole URL of another host", "http://evil.example{at}{id}"),
    ("path-only-slash", "the root", "/"),
    ("path-star", "a star for the whole server", "*"),
];

pub(super) fn add(cases: &mut Cases) {
    for (id, words, pattern) in PATHS {
        let title =
            format!("A path with {words} gives no token, or one for the very contact that stands in it");
        cases.at(&[Door::ContactToken], (id, &title), "RFC 3986 2.1, 3.3, 6.2; contract 1", |attempt| {
            let honest = attempt.says(&attempt.ask()?.send()?.granted()?)?;
            let contact = &attempt.world.contact(ContactRole::Allowed)?.id;
            let second = attempt.world.contact(ContactRole::SecondAllowed).map(|second| second.id.as_str());
            let ask = attempt.ask()?;
            let path = ask.path();
            let at = path.strip_suffix(&encoded(contact.as_bytes()));
            let at = at.ok_or_else(|| Stop::skip("the contact does not stand at the end of the path"))?;
            let first = contact.chars().next().unwrap_or('x');
            let (hex, rest) = (format!("{:02X}", u32::from(first)), &contact[first.len_utf8()..]);
            let target = pattern
                .replace("{at}", at)
                .replace("{upper}", &at.to_uppercase())
                .replace("{first}", &format!("%{hex}{rest}"))
                .replace("{twice}", &format!("%25{hex}{rest}"))
                .replace("{long}", &"a".repeat(8_000))
                .replace("{second}", second.unwrap_or("somebody-else"))
                .replace("{id}", contact);
            let answer = ask.target(target.as_bytes()).that(words).send()?;
            let whys = &[Why::Request, Why::Grant, Why::Http];
            // Decoded once, an encoded letter is that letter; nothing else is this contact, or may be another.
            answer.refused_or(whys, |grant| {
                let says = attempt.says(&grant)?;
                if *id == "path-encoded-letter" {
                    return says.within(&honest);
                }
                // Whoever ends dot segments himself reads the path that a browser would have sent.
                let ended = pattern.contains("/../") || *id == "path-dot" || *id == "path-absolute";
                let named = says.contact.as_deref() == Some(contact) && !pattern.contains("{second}");
                if ended && named {
                    return says.within(&honest);
                }
                Err(Stop::fail(&grant.sent, format_args!("a token for {:?}", says.contact)))
            })
        });
    }
}
