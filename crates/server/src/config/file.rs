//! Settings from `procura.toml`.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::reference::{Kind, SETTINGS, Setting, TABLES, nearest, setting};
use super::{ConfigError, Origin, Values, forward_auth};

/// No configuration is longer; what is, is another file.
const LONGEST: u64 = 1 << 20;

/// Reads the settings of a file into `values`, over what is there.
pub(super) fn read(values: &mut Values, path: &Path) -> Result<(), ConfigError> {
    let mut text = String::new();
    let file = fs::File::open(path)
        .map_err(|error| ConfigError::file(path, format_args!("can't be opened: {error}")))?;
    file.take(LONGEST + 1)
        .read_to_string(&mut text)
        .map_err(|error| ConfigError::file(path, format_args!("can't be read: {error}")))?;
    if text.len() as u64 > LONGEST {
        return Err(ConfigError::file(path, "is longer than 1 MiB; is it a configuration?"));
    }
    read_text(values, path, &text)
}

pub(super) fn read_text(values: &mut Values, path: &Path, text: &str) -> Result<(), ConfigError> {
    let at = |offset: usize| Origin::File(path.to_owned(), line_of(text, offset));
    let root = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        ConfigError::new(&at(offset), &format!("is not TOML: {}", error.message()))
    })?;
    for (key, value) in root.get_ref() {
        let (name, origin) = (key.get_ref().as_ref(), at(key.span().start));
        match value.get_ref() {
            DeValue::Table(table) if name == forward_auth::TABLE => {
                values.forward_auth = forward_auth::read(table, &at)?;
            }
            _ if name == forward_auth::TABLE => return Err(nameless(&origin)),
            DeValue::Table(table) if TABLES.iter().any(|known| known.name == name) => {
                for (key, value) in table {
                    let origin = at(key.span().start);
                    take(values, &format!("{name}.{}", key.get_ref()), value, origin)?;
                }
            }
            DeValue::Table(_) => {
                let names = TABLES.iter().map(|table| table.name).chain([forward_auth::TABLE]);
                return Err(unknown(&origin, &format!("[{name}] is no table"), nearest(name, names)));
            }
            _ => take(values, name, value, origin)?,
        }
    }
    Ok(())
}

fn take(
    values: &mut Values,
    path: &str,
    value: &Spanned<DeValue<'_>>,
    origin: Origin,
) -> Result<(), ConfigError> {
    let Some(setting) = setting(path) else {
        let names = SETTINGS.iter().map(|setting| setting.path);
        return Err(unknown(&origin, &format!("{path} is no setting"), nearest(path, names)));
    };
    let text = text_of(setting, value.get_ref())
        .ok_or_else(|| ConfigError::new(&origin, &format!("{path} must be {}", expected(setting.kind))))?;
    let text = match (setting.kind, &origin) {
        (Kind::Path, Origin::File(file, _)) => beside(file, &text),
        _ => text,
    };
    values
        .set_text(setting, &text, origin)
        .map_err(|ConfigError(text)| ConfigError(text.replacen(": ", &format!(": {path} "), 1)))
}

fn text_of(setting: &Setting, value: &DeValue<'_>) -> Option<String> {
    match (setting.kind, value) {
        (Kind::Whole { .. }, DeValue::Integer(number)) => {
            let number = i64::from_str_radix(number.as_str(), number.radix()).ok()?;
            Some(number.to_string())
        }
        (Kind::Whole { .. }, _) => None,
        (Kind::Boolean, DeValue::Boolean(value)) => Some(value.to_string()),
        (Kind::Boolean, _) => None,
        (_, DeValue::String(text)) => Some(text.to_string()),
        _ => None,
    }
}

fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Whole { .. } => "a whole number, without quotes",
        Kind::Boolean => "true or false, without quotes",
        _ => "a text, in quotes",
    }
}

/// A relative path in a file is meant from that file's folder, wherever the command is started.
fn beside(file: &Path, text: &str) -> String {
    match file.parent() {
        Some(folder) if !text.is_empty() => folder.join(text).to_string_lossy().into_owned(),
        _ => text.to_owned(),
    }
}

pub(super) fn unknown(origin: &Origin, what: &str, near: Option<&str>) -> ConfigError {
    let hint = near.map_or_else(
        || "; `procura config reference` has them all".to_owned(),
        |near| format!("; did you mean {near}?"),
    );
    ConfigError::new(origin, &format!("{what}{hint}"))
}

fn nameless(origin: &Origin) -> ConfigError {
    ConfigError::new(origin, "forward_auth must be tables with names, for instance [forward_auth.quotes]")
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reference_text::reference;

    fn told(text: &str) -> String {
        let mut values = Values::defaults();
        match read_text(&mut values, Path::new("/etc/procura.toml"), text) {
            Ok(()) => "fine".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_reference_reads_as_the_defaults() {
        let mut values = Values::defaults();
        read_text(&mut values, Path::new("x.toml"), &reference()).unwrap();
        let shown = |values: &Values| -> Vec<_> {
            values.iter().map(|(path, text, _)| (path, text.to_owned())).collect()
        };
        assert_eq!(shown(&values), shown(&Values::defaults()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_the_nearest_right_name() {
        assert_eq!(
            told("data = \"d\"\n[server]\nlistn = \"127.0.0.1:1\"\n"),
            "/etc/procura.toml:3: server.listn is no setting; did you mean server.listen?"
        );
        assert_eq!(told("[sever]\n"), "/etc/procura.toml:1: [sever] is no table; did you mean server?");
        assert_eq!(
            told("\n\n[tokens]\nlifetime = \"3600\"\n"),
            "/etc/procura.toml:4: tokens.lifetime must be a whole number, without quotes"
        );
        assert_eq!(
            told("[dpop]\nrequire_nonce = \"yes\"\n"),
            "/etc/procura.toml:2: dpop.require_nonce must be true or false, without quotes"
        );
        assert_eq!(told("[dpop]\nrequire_nonce = true\n"), "fine");
        assert_eq!(
            told("[tokens]\nlifetime = 5\n"),
            "/etc/procura.toml:1: tokens.lifetime must be a whole number from 60 to 14400"
                .replace(":1:", ":2:")
        );
        assert!(told("a = = 1").starts_with("/etc/procura.toml:1: is not TOML: "));
    }

    #[test]
    fn a_relative_path_is_meant_from_the_files_folder() {
        let mut values = Values::defaults();
        read_text(&mut values, Path::new("/etc/procura/p.toml"), "data = \"state\"").unwrap();
        assert_eq!(values.text("data"), Some("/etc/procura/state"));
    }
}
