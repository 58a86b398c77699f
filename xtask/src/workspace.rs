//! Where things are, and how cargo is called.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{Metadata, MetadataCommand};

use crate::process;
use crate::steps::Failure;

/// The checkout this command was started from.
pub(crate) struct Workspace {
    root: PathBuf,
    metadata: Metadata,
}

/// How the server is built: `Release` is for figures, `Dev` for everything else, because it is built
/// by the tests already and optimised a little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Dev,
    Release,
}

impl Workspace {
    pub(crate) fn open() -> Result<Self, Failure> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().unwrap_or(&manifest).to_owned();
        let metadata = MetadataCommand::new()
            .manifest_path(root.join("Cargo.toml"))
            .no_deps()
            .exec()
            .map_err(|error| Failure::wrong(format!("cargo metadata: {error}")))?;
        Ok(Self { root, metadata })
    }

    /// The folder of the root manifest.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The manifests of the workspace's own packages.
    pub(crate) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Where cargo builds.
    pub(crate) fn target(&self) -> &Path {
        self.metadata.target_directory.as_std_path()
    }

    /// Where tools from outside are installed that belong to this checkout alone.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target().join("tools")
    }

    /// Cargo in the root folder, without what `cargo run` told this program about itself: a build
    /// that reads such a variable would be made again for every command.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root);
        for (name, _) in env::vars_os() {
            let own = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
            if own.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
                cargo.env_remove(&name);
            }
        }
        cargo
    }

    /// Builds the server and says where it is.
    pub(crate) fn server(&self, profile: Profile) -> Result<PathBuf, Failure> {
        self.program("procura-server", "procura", profile)
    }

    /// Builds the example of an API and says where it is.
    pub(crate) fn payments(&self, profile: Profile) -> Result<PathBuf, Failure> {
        self.program("procura-example-payments", "procura-example-payments", profile)
    }

    /// The adversarial suite as a program of its own.
    pub(crate) fn adversary(&self, profile: Profile) -> Result<PathBuf, Failure> {
        self.program("procura-adversary", "procura-adversary", profile)
    }

    /// Builds the program that measures the parts and says where it is.
    pub(crate) fn floor(&self, profile: Profile) -> Result<PathBuf, Failure> {
        self.program("procura-floor", "procura-floor", profile)
    }

    /// For tests the whole workspace is selected, so that dependencies are those the tests were built with.
    fn program(&self, package: &str, name: &str, profile: Profile) -> Result<PathBuf, Failure> {
        let mut cargo = self.cargo();
        cargo.arg("build");
        let folder = match profile {
            Profile::Dev => {
                cargo.args(["--workspace", "--bin", name]);
                "debug"
            }
            Profile::Release => {
                cargo.args(["--release", "--package", package]);
                "release"
            }
        };
        process::run(&mut cargo)?;
        Ok(self.target().join(folder).join(format!("{name}{}", env::consts::EXE_SUFFIX)))
    }
}
