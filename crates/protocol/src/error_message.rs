//! The error answers of what a token opens (contract, chapter 4): three strings.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::json::push_string;

/// The body of a refusal by an API, a guard or forward-auth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorMessage {
    /// What went wrong, for programs.
    pub code: Cow<'static, str>,
    /// What to change, for the people who write them.
    pub message: Cow<'static, str>,
    /// Empty, or JSON of field to messages, as text.
    pub details: Cow<'static, str>,
}

impl ErrorMessage {
    /// A refusal that is not about single fields.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> ErrorMessage {
        ErrorMessage { code: code.into(), message: message.into(), details: Cow::Borrowed("") }
    }

    /// The same with messages on fields, in their order; each field once.
    #[must_use]
    pub fn with_details<'a>(
        mut self,
        fields: impl IntoIterator<Item = (&'a str, &'a [&'a str])>,
    ) -> ErrorMessage {
        let mut out = vec![b'{'];
        for (position, (field, messages)) in fields.into_iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            push_string(&mut out, field);
            out.extend_from_slice(b":[");
            for (position, message) in messages.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                push_string(&mut out, message);
            }
            out.push(b']');
        }
        out.push(b'}');
        self.details = Cow::Owned(String::from_utf8_lossy(&out).into_owned());
        self
    }

    /// The body's bytes.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(48 + self.code.len() + self.message.len() + 2 * self.details.len());
        out.extend_from_slice(br#"{"code":"#);
        push_string(&mut out, &self.code);
        out.extend_from_slice(br#","message":"#);
        push_string(&mut out, &self.message);
        out.extend_from_slice(br#","details":"#);
        push_string(&mut out, &self.details);
        out.push(b'}');
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn details_are_text_that_holds_json() {
        let message = ErrorMessage::new("client_not_allowed", "Not this one.")
            .with_details([("client_id", &["is \"empty\"", "b"][..]), ("other", &[][..])]);
        assert_eq!(message.details, r#"{"client_id":["is \"empty\"","b"],"other":[]}"#);
        let plain = ErrorMessage::new("a", "b");
        assert_eq!(plain.to_json(), br#"{"code":"a","message":"b","details":""}"#);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(code: String, message: String, field: String, about: String) {
            let written = ErrorMessage::new(code, message).with_details([(&*field, &[&*about][..])]);
            let read: ErrorMessage = serde_json::from_slice(&written.to_json()).unwrap();
            prop_assert_eq!(&read, &written);
            let details: serde_json::Value = serde_json::from_str(&read.details).unwrap();
            prop_assert_eq!(details, serde_json::json!({ field: [about] }));
        }
    }
}
