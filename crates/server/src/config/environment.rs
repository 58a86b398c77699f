//! Settings from the environment: `PROCURA_SERVER__LISTEN` is `listen` of `[server]`.
//!
//! A name that starts with `PROCURA_` and means nothing is refused: it is a slip, and a server that
//! ignored it would run with something else than its operator believes.

use std::ffi::OsString;

use super::reference::{SETTINGS, nearest};
use super::{ConfigError, Origin, Values};

/// What all our names start with.
const PREFIX: &str = "PROCURA_";

/// The key that private keys are sealed under, in base64. Not a setting, because settings are shown.
pub(crate) const KEY_ENCRYPTION_KEY: &str = "PROCURA_KEY_ENCRYPTION_KEY";

/// The application's secret for `procura token`.
pub(crate) const SECRET: &str = "PROCURA_SECRET";

/// Reads the settings among these variables into `values`, over what is there.
pub(super) fn read(
    values: &mut Values,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(), ConfigError> {
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)).map(str::to_owned) else {
            continue;
        };
        if name == KEY_ENCRYPTION_KEY || name == SECRET {
            continue;
        }
        let Some(setting) = SETTINGS.iter().find(|setting| variable(setting.path) == name) else {
            return Err(unknown(&name));
        };
        let origin = Origin::Environment(name);
        let Ok(text) = value.into_string() else {
            return Err(ConfigError::new(&origin, "is not UTF-8"));
        };
        values.set_text(setting, &text, origin)?;
    }
    Ok(())
}

/// The variable of a setting.
pub(crate) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_uppercase())
}

fn unknown(name: &str) -> ConfigError {
    let mut names: Vec<String> = SETTINGS.iter().map(|setting| variable(setting.path)).collect();
    names.extend([KEY_ENCRYPTION_KEY.to_owned(), SECRET.to_owned()]);
    let bare = |name: &str| name.trim_start_matches(PREFIX).to_owned();
    let stems: Vec<String> = names.iter().map(|name| bare(name)).collect();
    let hint = nearest(&bare(name), stems.iter().map(String::as_str))
        .map_or_else(String::new, |near| format!("; did you mean {PREFIX}{near}?"));
    ConfigError::new(&Origin::Environment(name.to_owned()), &format!("is no setting{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(name: &str, value: &str) -> Result<Values, ConfigError> {
        let mut values = Values::defaults();
        read(&mut values, [(name.into(), value.into())]).map(|()| values)
    }

    #[test]
    fn a_variable_is_named_after_table_and_key() {
        assert_eq!(variable("server.listen"), "PROCURA_SERVER__LISTEN");
        let values = read_one("PROCURA_TOKENS__LIFETIME", "600").unwrap();
        assert_eq!(values.whole("tokens.lifetime"), Some(600));
    }

    #[test]
    fn a_slip_is_refused_with_the_nearest_right_name() {
        let error = read_one("PROCURA_SERVER_LISTEN", "127.0.0.1:1").unwrap_err().to_string();
        assert_eq!(
            error,
            "PROCURA_SERVER_LISTEN in the environment is no setting; did you mean PROCURA_SERVER__LISTEN?"
        );
    }

    #[test]
    fn secrets_and_other_programs_variables_are_left_alone() {
        for name in [KEY_ENCRYPTION_KEY, SECRET, "PROCURATOR", "PATH"] {
            assert!(read_one(name, "x").is_ok(), "{name}");
        }
    }

    #[test]
    fn a_value_that_does_not_fit_is_told_with_what_would() {
        let error = read_one("PROCURA_TOKENS__LIFETIME", "soon").unwrap_err().to_string();
        assert_eq!(
            error,
            "PROCURA_TOKENS__LIFETIME in the environment must be a whole number from 60 to 14400"
        );
    }
}
