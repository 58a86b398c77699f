//! The table of settings as a commented file: `config reference`.

use std::fmt::Write as _;

use super::reference::{Default, Kind, SETTINGS, Setting, TABLES};

/// A complete `procura.toml` with every setting at its default, each with what it does. Settings
/// without a default are commented out.
pub(crate) fn reference() -> String {
    let mut text = String::from(
        "# procura.toml: every setting, at its default.\n\
         #\n\
         # All are optional, and most installations need only the first two. Each can be given in the\n\
         # environment too: PROCURA_SERVER__LISTEN is `listen` of [server], and stands above this file.\n",
    );
    let outside = SETTINGS.iter().filter(|setting| !setting.path.contains('.'));
    outside.for_each(|setting| push_setting(&mut text, setting, setting.path));
    for table in TABLES {
        let _ = write!(text, "\n# {}\n[{}]\n", table.about, table.name);
        for setting in SETTINGS {
            if let Some((name, key)) = setting.path.split_once('.')
                && name == table.name
            {
                push_setting(&mut text, setting, key);
            }
        }
    }
    text.push_str(super::forward_auth::REFERENCE);
    text
}

fn push_setting(text: &mut String, setting: &Setting, key: &str) {
    text.push('\n');
    for line in setting.about.lines() {
        let _ = writeln!(text, "# {line}");
    }
    if let Some(range) = range(setting.kind) {
        let _ = writeln!(text, "# {range}");
    }
    let _ = match setting.default {
        Default::Toml(value) => writeln!(text, "{key} = {value}"),
        Default::Absent(example) => match setting.kind {
            Kind::Whole { .. } | Kind::Boolean => writeln!(text, "#{key} = {example}"),
            _ => writeln!(text, "#{key} = \"{example}\""),
        },
    };
}

fn range(kind: Kind) -> Option<String> {
    match kind {
        Kind::Whole { min, max } => Some(format!("From {min} to {max}.")),
        Kind::OneOf(words) => Some(format!("One of: {}.", words.join(", "))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_has_every_setting_and_nothing_else() {
        let commented = reference();
        let all: String = commented
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => format!("{rest}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let parsed: toml::Table = all.parse().unwrap();
        let mut paths: Vec<String> = Vec::new();
        for (name, value) in &parsed {
            match value.as_table() {
                Some(table) => paths.extend(table.keys().map(|key| format!("{name}.{key}"))),
                None => paths.push(name.clone()),
            }
        }
        let mut expected: Vec<&str> = SETTINGS.iter().map(|setting| setting.path).collect();
        paths.sort();
        expected.sort_unstable();
        assert_eq!(paths, expected);
        assert!(commented.parse::<toml::Table>().is_ok());
    }
}
