//! `${name}` in the texts of an adapter: what only the setup knows.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use toml::Value;

/// Values of placeholders. Not printable: secrets are among them.
#[derive(Default, Clone)]
pub struct Values(BTreeMap<String, String>);

impl Values {
    /// Adds one.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    /// Adds all members of the object that a setup printed.
    ///
    /// # Errors
    ///
    /// A sentence, when a member is neither text nor number nor boolean, or it is no object.
    pub fn extend(&mut self, line: &str) -> Result<(), String> {
        let told: Json = serde_json::from_str(line)
            .map_err(|_| "the setup must print one JSON object in one line".to_owned())?;
        let Json::Object(members) = told else {
            return Err("the setup must print a JSON object".to_owned());
        };
        for (name, value) in members {
            let value = match value {
                Json::String(text) => text,
                Json::Number(number) => number.to_string(),
                Json::Bool(truth) => truth.to_string(),
                _ => return Err(format!("`{name}` of the setup's object must be a text")),
            };
            self.0.insert(name, value);
        }
        Ok(())
    }

    /// Fills every text below `value`.
    pub(super) fn fill(&self, value: Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => Value::String(self.text(&text)?),
            Value::Array(values) => {
                Value::Array(values.into_iter().map(|value| self.fill(value)).collect::<Result<_, _>>()?)
            }
            Value::Table(table) => {
                let filled = table.into_iter().map(|(name, value)| Ok((name, self.fill(value)?)));
                Value::Table(filled.collect::<Result<_, String>>()?)
            }
            other => other,
        })
    }

    /// Fills one text.
    pub(crate) fn text(&self, text: &str) -> Result<String, String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, behind) =
                after.split_once('}').ok_or_else(|| format!("`${{` without `}}` in `{text}`"))?;
            let value = self.0.get(name).ok_or_else(|| {
                format!("nothing gives `${{{name}}}` a value: the setup must print it, or --set {name}=VALUE")
            })?;
            filled.push_str(before);
            filled.push_str(value);
            rest = behind;
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
