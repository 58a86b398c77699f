use crate::support::run;

const COMMANDS: [&str; 18] = [
    "demo",
    "init",
    "serve",
    "config",
    "status",
    "application",
    "client",
    "contact",
    "mandate",
    "trust",
    "resource",
    "key",
    "revoke",
    "audit",
    "token",
    "dpop",
    "adversary",
    "completions",
];

#[test]
fn help_names_every_command_and_every_exit_code() {
    let help = run(["--help"]).ends_with(0).stdout;
    for command in COMMANDS {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is not in\n{help}");
    }
    assert!(help.contains("Exit codes:"), "{help}");
}

#[test]
fn every_command_has_a_help_of_its_own() {
    for command in COMMANDS {
        let help = run([command, "--help"]).ends_with(0).stdout;
        assert!(help.contains("Usage: procura "), "{command}: {help}");
    }
}

#[test]
fn help_has_the_right_article() {
    let help = run(["application", "--help"]).ends_with(0).stdout;
    assert!(help.contains("Add an application") && !help.contains(" a application"), "{help}");
    let help = run(["client", "--help"]).ends_with(0).stdout;
    assert!(help.contains("Add a client"), "{help}");
}

#[test]
fn nouns_show_examples_and_verbs_show_the_fields() {
    for noun in ["application", "client", "contact", "mandate", "trust", "resource"] {
        assert!(run([noun, "--help"]).stdout.contains("Examples:"), "{noun}");
    }
    let help = run(["contact", "add", "--help"]).stdout;
    for flag in ["--email-address <ADDRESS>", "--time-zone <ZONE>", "--status <STATUS>", "--data <DIR>"] {
        assert!(help.contains(flag), "{flag} is not in\n{help}");
    }
    let help = run(["trust", "add", "--help"]).stdout;
    assert!(help.contains("<CLIENT> <APPLICATION>") && help.contains("--ceiling"), "{help}");
}

#[test]
fn a_wrong_command_line_is_told_on_standard_error_with_code_2() {
    for arguments in [vec!["serv"], vec![], vec!["contact"], vec!["contact", "add", "C", "--colour", "red"]] {
        let ran = run(&arguments).ends_with(2);
        assert!(ran.stdout.is_empty() && ran.stderr.contains("procura"), "{ran:?}");
    }
}

#[test]
fn completions_complete_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(["completions", shell]).ends_with(0).stdout;
        for command in COMMANDS {
            assert!(script.contains(command), "{command} is not completed by {shell}");
        }
    }
}

#[test]
fn a_command_that_touches_the_store_asks_where_it_is() {
    let ran = run(["client", "list"]).ends_with(2);
    assert!(ran.stderr.contains("--data DIR"), "{}", ran.stderr);
    let ran = run(["client", "list", "--data", "/nowhere/at/all"]).ends_with(2);
    assert!(ran.stderr.contains("procura init"), "{}", ran.stderr);
}
