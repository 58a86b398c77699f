//! The drawing of the layers, held against the manifests.
//!
//! cargo-deny holds the same drawing for the whole graph, by wrappers; this says it in our own words,
//! tells normal from test-only dependencies, and notices a crate that nobody has placed.

use cargo_metadata::{Dependency, DependencyKind, Package};

use crate::steps::{Failure, Verdict};
use crate::workspace::Workspace;

/// One of our own packages, and those it may use. Left may use right, never back.
struct Layer {
    package: &'static str,
    may_use: &'static [&'static str],
    /// Beyond those, what its tests alone may use.
    in_tests: &'static [&'static str],
}

const LAYERS: &[Layer] = &[
    Layer { package: "procura-protocol", may_use: &[], in_tests: &[] },
    Layer { package: "procura-jose", may_use: &["procura-protocol"], in_tests: &[] },
    // Of the server, which issues bound tokens, and of the guard, which takes them.
    Layer { package: "procura-dpop", may_use: &["procura-jose", "procura-protocol"], in_tests: TESTKIT },
    Layer {
        package: "procura-x509",
        may_use: &["procura-jose", "procura-protocol"],
        // The testkit makes the certificates.
        in_tests: TESTKIT,
    },
    Layer { package: "procura-store", may_use: &["procura-protocol"], in_tests: TESTKIT },
    Layer {
        package: "procura-engine",
        may_use: &["procura-store", "procura-x509", "procura-dpop", "procura-jose", "procura-protocol"],
        in_tests: TESTKIT,
    },
    Layer {
        package: "procura-storage",
        may_use: &["procura-store", "procura-jose", "procura-protocol"],
        in_tests: TESTKIT,
    },
    Layer {
        package: "procura-guard",
        may_use: &["procura-dpop", "procura-jose", "procura-protocol"],
        in_tests: &[],
    },
    Layer {
        package: "procura-http",
        // The server's own API and forward-auth stand behind the guard that resources use.
        may_use: &[
            "procura-guard",
            "procura-engine",
            "procura-store",
            "procura-dpop",
            "procura-jose",
            "procura-protocol",
        ],
        in_tests: TESTKIT,
    },
    Layer {
        package: "procura-server",
        may_use: &[
            "procura-http",
            "procura-guard",
            "procura-engine",
            "procura-storage",
            "procura-store",
            "procura-x509",
            "procura-dpop",
            "procura-jose",
            "procura-protocol",
            "procura-client",
            "procura-adversary",
        ],
        in_tests: TESTKIT,
    },
    // It attacks any server, and must not know how this one is made.
    Layer { package: "procura-adversary", may_use: &["procura-jose"], in_tests: &[] },
    Layer { package: "procura-client", may_use: &["procura-jose", "procura-protocol"], in_tests: TESTKIT },
    // What a reader copies stands behind the guard and knows nothing else of ours.
    Layer { package: "procura-example-payments", may_use: &["procura-guard"], in_tests: &["procura-jose"] },
    Layer { package: "procura-testkit", may_use: BELOW_THE_SERVER, in_tests: &[] },
    // The import's readers are the binary's.
    Layer { package: "procura-fuzz", may_use: WITH_THE_SERVER, in_tests: &[] },
    Layer { package: "procura-floor", may_use: WITH_TESTKIT, in_tests: &[] },
    Layer { package: "xtask", may_use: WITH_TESTKIT, in_tests: &[] },
];

const TESTKIT: &[&str] = &["procura-testkit"];

const BELOW_THE_SERVER: &[&str] = &[
    "procura-http",
    "procura-guard",
    "procura-engine",
    "procura-storage",
    "procura-store",
    "procura-x509",
    "procura-dpop",
    "procura-jose",
    "procura-protocol",
    "procura-client",
];

const WITH_THE_SERVER: &[&str] = &[
    "procura-server",
    "procura-guard",
    "procura-storage",
    "procura-store",
    "procura-x509",
    "procura-dpop",
    "procura-jose",
    "procura-protocol",
];

const WITH_TESTKIT: &[&str] = &[
    "procura-testkit",
    "procura-http",
    "procura-guard",
    "procura-engine",
    "procura-storage",
    "procura-store",
    "procura-x509",
    "procura-dpop",
    "procura-jose",
    "procura-protocol",
    "procura-client",
];

/// A library from outside that only some of our packages may name.
struct Kept {
    library: &'static str,
    by: &'static [&'static str],
    why: &'static str,
    tests_too: bool,
}

const KEPT: &[Kept] = &[
    Kept {
        library: "aws-lc-rs",
        by: &["procura-jose"],
        why: "jose is the only crate that names the crypto library",
        tests_too: true,
    },
    Kept { library: "rustls-webpki", by: &["procura-x509"], why: "only x509 judges chains", tests_too: true },
    Kept {
        library: "x509-cert",
        by: &["procura-x509"],
        why: "only x509 reads certificates",
        tests_too: true,
    },
    Kept { library: "rusqlite", by: &["procura-storage"], why: "only storage knows SQL", tests_too: false },
    Kept { library: "postgres", by: &["procura-storage"], why: "only storage knows SQL", tests_too: true },
    Kept {
        library: "axum",
        by: &["procura-http", "procura-testkit", "procura-floor", "procura-example-payments"],
        why: "only http and the example have routes",
        tests_too: false,
    },
    Kept { library: "hyper", by: &WIRE, why: "only the wire's crates speak HTTP", tests_too: false },
    Kept { library: "hyper-util", by: &WIRE, why: "only the wire's crates speak HTTP", tests_too: false },
    Kept {
        library: "rustls",
        by: &["procura-http", "procura-floor", "procura-adversary"],
        why: "only the listeners end TLS, what they are measured against, and what attacks them",
        tests_too: false,
    },
    Kept {
        library: "tokio-rustls",
        by: &["procura-http", "procura-floor"],
        why: "only the listeners end TLS, and what they are measured against",
        tests_too: false,
    },
    Kept {
        library: "reqwest",
        by: &["procura-client", "procura-guard", "procura-server"],
        why: "one ready transport each, of the SDK and of the guard; the server fetches applications' keys with it",
        tests_too: false,
    },
    Kept {
        library: "clap",
        by: &["procura-server", "procura-adversary", "procura-floor", "xtask"],
        why: "only programs have arguments",
        tests_too: true,
    },
    Kept {
        library: "tokio",
        by: &[
            "procura-jose",
            "procura-engine",
            "procura-storage",
            "procura-http",
            "procura-server",
            "procura-client",
            "procura-guard",
            "procura-testkit",
            "procura-floor",
            "procura-example-payments",
            "xtask",
        ],
        why: "protocol and store know no runtime",
        tests_too: false,
    },
    Kept {
        library: "prometheus-client",
        by: &["procura-server"],
        why: "only the binary writes metrics down",
        tests_too: true,
    },
    Kept {
        library: "opentelemetry",
        by: &["procura-server"],
        why: "only the binary sends spans",
        tests_too: true,
    },
    Kept { library: "rand", by: &[], why: "randomness is an argument, made in jose", tests_too: false },
    Kept { library: "getrandom", by: &[], why: "randomness is an argument, made in jose", tests_too: false },
];

const WIRE: [&str; 3] = ["procura-http", "procura-server", "procura-client"];

/// Holds every manifest against the drawing.
pub(crate) fn check(workspace: &Workspace) -> Verdict {
    let packages = workspace.metadata().workspace_packages();
    let wrong: Vec<String> = packages.iter().flat_map(|package| wrong_in(package)).collect();
    if wrong.is_empty() {
        return Ok(format!("{} packages keep to the drawing", packages.len()));
    }
    for line in &wrong {
        println!("{line}");
    }
    Err(Failure::wrong(format!("{} dependencies against the drawing", wrong.len())))
}

fn wrong_in(package: &Package) -> Vec<String> {
    let Some(layer) = LAYERS.iter().find(|layer| layer.package == package.name.as_str()) else {
        return vec![format!(
            "{} has no place in the drawing: give it one in xtask/src/layers.rs",
            package.name
        )];
    };
    let mut wrong: Vec<String> = package
        .dependencies
        .iter()
        .filter_map(|dependency| refusal(layer, &package.name, dependency))
        .collect();
    let manifest = std::fs::read_to_string(&package.manifest_path).unwrap_or_default();
    if !manifest.contains("[lints]\nworkspace = true") {
        wrong.push(format!("{} does not take the lints of the workspace", package.name));
    }
    wrong
}

/// Why `dependency` may not stand in the manifest of `layer`, if it may not.
fn refusal(layer: &Layer, package: &str, dependency: &Dependency) -> Option<String> {
    let name = dependency.name.as_str();
    let in_tests = dependency.kind == DependencyKind::Development;
    if dependency.path.is_some() {
        // A crate may name itself in its tests, to switch a feature on.
        let for_tests = layer.in_tests.contains(&name) || name == package;
        let allowed = layer.may_use.contains(&name) || in_tests && for_tests;
        return (!allowed)
            .then(|| format!("{package} may not use {name}{}", if in_tests { " in its tests" } else { "" }));
    }
    let kept = KEPT.iter().find(|kept| kept.library == name && (kept.tests_too || !in_tests))?;
    (!kept.by.contains(&package)).then(|| format!("{package} may not name {name}: {}", kept.why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependency(name: &str, kind: &str, path: Option<&str>) -> Dependency {
        serde_json::from_value(serde_json::json!({
            "name": name, "source": null, "req": "*", "kind": kind, "rename": null, "optional": false,
            "uses_default_features": true, "features": [], "target": null, "registry": null, "path": path,
        }))
        .unwrap()
    }

    fn judged(package: &str, name: &str, kind: &str, ours: bool) -> bool {
        let layer = LAYERS.iter().find(|layer| layer.package == package).unwrap();
        refusal(layer, package, &dependency(name, kind, ours.then_some("/somewhere"))).is_none()
    }

    #[test]
    fn no_layer_reaches_back() {
        assert!(judged("procura-engine", "procura-store", "normal", true));
        assert!(!judged("procura-store", "procura-engine", "normal", true));
        assert!(!judged("procura-client", "procura-engine", "normal", true));
        assert!(!judged("procura-engine", "procura-http", "dev", true));
        assert!(judged("procura-example-payments", "procura-guard", "normal", true));
        assert!(!judged("procura-example-payments", "procura-jose", "normal", true));
    }

    #[test]
    fn the_testkit_is_for_tests_only() {
        assert!(judged("procura-http", "procura-testkit", "dev", true));
        assert!(!judged("procura-http", "procura-testkit", "normal", true));
    }

    #[test]
    fn the_crypto_library_is_named_once_tests_included() {
        assert!(judged("procura-jose", "aws-lc-rs", "normal", false));
        assert!(!judged("procura-engine", "aws-lc-rs", "dev", false));
        assert!(!judged("procura-http", "rusqlite", "normal", false));
    }

    #[test]
    fn the_drawing_has_no_circle() {
        for layer in LAYERS {
            for used in layer.may_use {
                let back = LAYERS.iter().find(|other| other.package == *used).unwrap();
                assert!(!back.may_use.contains(&layer.package), "{} and {used}", layer.package);
            }
        }
    }
}
