//! What the checks need from outside: where it is, and how it is got.
//!
//! System programs come from the system's package manager; everything else goes into
//! `target/tools`, from lock files with hashes, and leaves with `cargo clean`.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{self, ask};
use crate::steps::{Failure, Verdict};
use crate::workspace::Workspace;

/// The command that gets whatever this module can install.
const INSTALL: &str = "cargo xtask install";

/// Names the folder of PostgreSQL's server programs, for the tests that start one of their own.
pub(crate) const POSTGRES_BIN: &str = "PROCURA_TEST_POSTGRES_BIN";

/// The hashes of everything that Java is given.
const JARS: &str = "jars.sha256";

const CARGO_DENY: &str = "0.20.2";

/// The programs in other languages that check a running server.
pub(crate) fn foreign(workspace: &Workspace, language: &str) -> PathBuf {
    workspace.root().join("tests/foreign").join(language)
}

/// The interpreter of the environment with PyJWT, Authlib and schemathesis.
pub(crate) fn python(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let python = python_folder(workspace).join("bin/python");
    let lock = foreign(workspace, "python").join("requirements.lock");
    let works = || ask(Command::new(&python).arg("--version")).is_some();
    if is_made_from(&python_folder(workspace), &lock) && works() {
        return Ok(python);
    }
    Err(Failure::missing("no Python environment made from requirements.lock", INSTALL))
}

/// The folder that holds `node_modules` with `jose` and `openid-client`.
pub(crate) fn node(workspace: &Workspace) -> Result<PathBuf, Failure> {
    system_node()?;
    let lock = foreign(workspace, "node").join("package-lock.json");
    let folder = node_folder(workspace);
    if is_made_from(&folder, &lock) {
        return Ok(folder);
    }
    Err(Failure::missing("no node_modules made from package-lock.json", INSTALL))
}

/// Says whether Node.js is one that `openid-client` runs on; the other checks need less.
pub(crate) fn node_for_openid_client() -> Result<(), Failure> {
    system_node()?;
    let check = "const [a, b] = process.versions.node.split('.').map(Number); \
                 process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)";
    match ask(Command::new("node").args(["-e", check])) {
        Some(_) => Ok(()),
        None => Err(Failure::missing("no Node.js 20.19", "a newer Node.js than this system's package")),
    }
}

/// Go in the folder of its module, with the modules that were fetched for go.sum and no others.
pub(crate) fn go(workspace: &Workspace) -> Result<Command, Failure> {
    system_go()?;
    if is_made_from(&go_folder(workspace), &foreign(workspace, "go").join("go.sum")) {
        return Ok(go_command(workspace));
    }
    Err(Failure::missing("no Go modules made from go.sum", INSTALL))
}

/// Where the modules of Go and what is built of them are.
pub(crate) fn go_folder(workspace: &Workspace) -> PathBuf {
    workspace.tools().join("go")
}

/// The folder that holds the jars of Nimbus JOSE+JWT, Nimbus OAuth 2.0 SDK and Jackson.
pub(crate) fn java(workspace: &Workspace) -> Result<PathBuf, Failure> {
    system_java()?;
    let folder = java_folder(workspace);
    if is_made_from(&folder, &foreign(workspace, "java").join(JARS)) {
        return Ok(folder);
    }
    Err(Failure::missing("no jars made from jars.sha256", INSTALL))
}

/// cargo-deny: this checkout's own, else whichever is on the path.
pub(crate) fn cargo_deny(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let own = workspace.tools().join("bin/cargo-deny");
    [own, PathBuf::from("cargo-deny")]
        .into_iter()
        .find(|program| ask(Command::new(program).arg("--version")).is_some())
        .ok_or_else(|| Failure::missing("no cargo-deny", INSTALL))
}

/// nginx or Caddy: the one that was unpacked here, else the system's.
pub(crate) fn proxy(workspace: &Workspace, name: &str) -> Result<PathBuf, Failure> {
    let unpacked = proxies_folder(workspace);
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = [unpacked.join("usr/sbin"), unpacked.join("usr/bin")];
    let system = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders
        .into_iter()
        .chain(system)
        .map(|folder| folder.join(name))
        .find(|program| {
            let version = if name == "nginx" { "-v" } else { "version" };
            program.is_file() && ask(Command::new(program).arg(version)).is_some()
        })
        .ok_or_else(|| Failure::missing(format!("no {name}"), INSTALL))
}

/// The folder of PostgreSQL's server programs: the named one, else the newest there is.
pub(crate) fn postgres() -> Result<PathBuf, Failure> {
    let named = env::var_os(POSTGRES_BIN).map(PathBuf::from);
    let told = ask(Command::new("pg_config").arg("--bindir")).map(|line| PathBuf::from(line.trim()));
    let mut installed: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|folders| folders.flatten().map(|folder| folder.path()).collect())
        .unwrap_or_default();
    installed.sort_by_key(|folder| version_in(folder));
    let installed = installed.into_iter().rev().map(|folder| folder.join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    named
        .into_iter()
        .chain(installed)
        .chain(told)
        .chain(env::split_paths(&path))
        .find(|folder| ["initdb", "pg_ctl", "postgres"].iter().all(|name| folder.join(name).is_file()))
        .ok_or_else(|| Failure::missing("no PostgreSQL server programs", apt_command(&["postgresql"])))
}

/// Says which of the toolchain's components is missing; the pinned toolchain is not ours to change.
pub(crate) fn component(workspace: &Workspace, subcommand: &str, component: &str) -> Result<(), Failure> {
    match ask(workspace.cargo().args([subcommand, "--version"])) {
        Some(_) => Ok(()),
        None => Err(Failure::missing(
            format!("this toolchain has no {component}"),
            format!("rustup component add {component}"),
        )),
    }
}

/// Installs whatever is missing and can be had.
pub(crate) fn install(workspace: &Workspace) -> Verdict {
    let steps = [
        install_system(),
        install_proxies(workspace),
        install_python(workspace),
        install_node(workspace),
        install_go(workspace),
        install_java(workspace),
        install_cargo_deny(workspace),
    ];
    let failures: Vec<Failure> = steps.into_iter().filter_map(Result::err).collect();
    let wrong: Vec<String> = failures
        .iter()
        .filter(|failure| matches!(failure, Failure::Wrong(_)))
        .map(ToString::to_string)
        .collect();
    if !wrong.is_empty() {
        return Err(Failure::wrong(wrong.join("; ")));
    }
    match failures.into_iter().next() {
        Some(missing) => Err(missing),
        None => Ok("everything is there".to_owned()),
    }
}

/// Says whether programs can be kept on a core.
pub(crate) fn taskset() -> Result<(), Failure> {
    ask(Command::new("taskset").arg("--version"))
        .map(|_| ())
        .ok_or_else(|| Failure::missing("no taskset", apt_command(&["util-linux"])))
}

/// Something that the commands of our pages call, and that Debian has a package of the same name for.
pub(crate) fn shell_program(name: &str) -> Result<(), Failure> {
    // The one that knows no dashes.
    let version = if name == "openssl" { "version" } else { "--version" };
    match process::ask(Command::new(name).arg(version)) {
        Some(_) => Ok(()),
        None => Err(Failure::missing(format!("no {name}"), format!("apt-get install {name}"))),
    }
}

fn install_system() -> Result<(), Failure> {
    let wanted: &[(bool, &[&str])] = &[
        (system_python().is_err(), &["python3", "python3-venv"]),
        (system_node().is_err(), &["nodejs", "npm"]),
        (postgres().is_err(), &["postgresql"]),
        (shell_program("bash").is_err(), &["bash"]),
        (shell_program("curl").is_err(), &["curl", "ca-certificates"]),
        (shell_program("openssl").is_err(), &["openssl"]),
    ];
    let packages: Vec<&str> =
        wanted.iter().filter(|(missing, _)| *missing).flat_map(|(_, names)| names.iter().copied()).collect();
    install_packages(&packages)
}

/// Installs packages of the system, or says which command does.
pub(crate) fn install_packages(packages: &[&str]) -> Result<(), Failure> {
    if packages.is_empty() {
        return Ok(());
    }
    let Some(mut apt) = apt_get() else {
        let what =
            format!("system packages are missing ({}) and can't be installed from here", packages.join(" "));
        return Err(Failure::missing(what, apt_command(packages)));
    };
    // Standard output may be somebody's JSON.
    process::run(apt.arg("update").stdout(std::io::stderr()))?;
    let mut apt = apt_get().unwrap_or(apt);
    apt.args(["install", "--yes", "--no-install-recommends"]).args(packages);
    process::run(apt.stdout(std::io::stderr()))
}

/// Unpacks the system's packages without installing them: what would be installed is a service too, and
/// would run.
fn install_proxies(workspace: &Workspace) -> Result<(), Failure> {
    let missing: Vec<&str> =
        ["nginx", "caddy"].into_iter().filter(|name| proxy(workspace, name).is_err()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let Some(mut apt) = apt_get() else {
        return Err(Failure::missing(format!("no {}", missing.join(" and no ")), apt_command(&missing)));
    };
    process::run(apt.arg("update").stdout(std::io::stderr()))?;
    let (folder, packages) = (proxies_folder(workspace), proxies_folder(workspace).join("packages"));
    forget(&packages)?;
    fs::create_dir_all(&packages).map_err(|error| cannot("make", &packages, &error))?;
    let mut download = Command::new("apt-get");
    download.args(["--quiet", "download"]).args(&missing).current_dir(&packages);
    process::run(download.stdout(std::io::stderr()))?;
    let files = fs::read_dir(&packages).map_err(|error| cannot("read", &packages, &error))?;
    for file in files.flatten() {
        process::run(Command::new("dpkg-deb").arg("--extract").arg(file.path()).arg(&folder))?;
    }
    missing.iter().try_for_each(|name| proxy(workspace, name).map(drop))
}

fn proxies_folder(workspace: &Workspace) -> PathBuf {
    workspace.tools().join("proxies")
}

/// `apt-get` with the right to install: as root, or with a `sudo` that asks nothing.
fn apt_get() -> Option<Command> {
    ask(Command::new("apt-get").arg("--version"))?;
    let mut apt = if rustix::process::geteuid().is_root() {
        Command::new("env")
    } else {
        ask(Command::new("sudo").args(["-n", "true"]))?;
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "env"]);
        sudo
    };
    apt.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]);
    Some(apt)
}

fn apt_command(packages: &[&str]) -> String {
    format!("sudo apt-get install --yes --no-install-recommends {}", packages.join(" "))
}

fn install_python(workspace: &Workspace) -> Result<(), Failure> {
    if python(workspace).is_ok() {
        return Ok(());
    }
    system_python()?;
    let folder = python_folder(workspace);
    let lock = foreign(workspace, "python").join("requirements.lock");
    forget(&folder)?;
    process::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--require-hashes"]);
    process::run(pip.arg("--requirement").arg(&lock))?;
    remember(&folder, &lock)
}

fn install_node(workspace: &Workspace) -> Result<(), Failure> {
    if node(workspace).is_ok() {
        return Ok(());
    }
    system_node()?;
    let (source, folder) = (foreign(workspace, "node"), node_folder(workspace));
    forget(&folder)?;
    fs::create_dir_all(&folder).map_err(|error| cannot("make", &folder, &error))?;
    for name in ["package.json", "package-lock.json"] {
        copy(&source.join(name), &folder.join(name))?;
    }
    let mut npm = Command::new("npm");
    process::run(npm.current_dir(&folder).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]))?;
    remember(&folder, &source.join("package-lock.json"))
}

/// For the Go that is there; where there is none, its check says so.
fn install_go(workspace: &Workspace) -> Result<(), Failure> {
    if system_go().is_err() || go(workspace).is_ok() {
        return Ok(());
    }
    let folder = go_folder(workspace);
    forget(&folder)?;
    process::run(go_command(workspace).args(["mod", "download"]))?;
    remember(&folder, &foreign(workspace, "go").join("go.sum"))
}

/// For the Java and the Maven that are there; where there are none, their check says so.
fn install_java(workspace: &Workspace) -> Result<(), Failure> {
    if system_java().is_err() || java(workspace).is_ok() {
        return Ok(());
    }
    let (source, folder) = (foreign(workspace, "java"), java_folder(workspace));
    forget(&folder)?;
    let mut maven = Command::new("mvn");
    maven.args(["--batch-mode", "--quiet", "--file"]).arg(source.join("pom.xml"));
    maven.arg(assigned("-Dmaven.repo.local", &workspace.tools().join("maven")));
    maven.arg("dependency:copy-dependencies").arg(assigned("-DoutputDirectory", &folder));
    process::run(maven.arg("-DincludeScope=runtime").stdout(std::io::stderr()))?;
    has_exactly(&folder, &source.join(JARS))?;
    remember(&folder, &source.join(JARS))
}

/// Whether a folder holds the files of a list as `sha256sum` writes it, and no other.
fn has_exactly(folder: &Path, list: &Path) -> Result<(), Failure> {
    let wanted = fs::read_to_string(list).map_err(|error| cannot("read", list, &error))?;
    let mut wanted: Vec<OsString> =
        wanted.lines().filter_map(|line| line.split_once("  ")).map(|(_, name)| name.into()).collect();
    let entries = fs::read_dir(folder).map_err(|error| cannot("read", folder, &error))?;
    let mut seen: Vec<OsString> = entries.flatten().map(|entry| entry.file_name()).collect();
    wanted.sort_unstable();
    seen.sort_unstable();
    if seen != wanted {
        return Err(Failure::wrong(format!("{} holds {seen:?}, not {wanted:?}", folder.display())));
    }
    let mut check = Command::new("sha256sum");
    process::run(check.current_dir(folder).args(["--check", "--strict", "--quiet"]).arg(list))
}

fn assigned(name: &str, value: &Path) -> OsString {
    let mut argument = OsString::from(name);
    argument.push("=");
    argument.push(value);
    argument
}

fn install_cargo_deny(workspace: &Workspace) -> Result<(), Failure> {
    if cargo_deny(workspace).is_ok() {
        return Ok(());
    }
    let mut cargo = workspace.cargo();
    cargo.args(["install", "--locked", "--version", CARGO_DENY, "--root"]).arg(workspace.tools());
    process::run(cargo.arg("cargo-deny"))
}

fn system_python() -> Result<(), Failure> {
    let check = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))";
    ask(Command::new("python3").args(["-c", check])).map(|_| ()).ok_or_else(|| {
        Failure::missing("no Python 3.10 with venv", apt_command(&["python3", "python3-venv"]))
    })
}

fn system_node() -> Result<(), Failure> {
    let check = "process.exit(Number(process.versions.node.split('.')[0]) < 18 ? 1 : 0)";
    ask(Command::new("node").args(["-e", check]))
        .and_then(|_| ask(Command::new("npm").arg("--version")))
        .map(|_| ())
        .ok_or_else(|| Failure::missing("no Node.js 18 with npm", apt_command(&["nodejs", "npm"])))
}

fn system_go() -> Result<(), Failure> {
    let version = ask(Command::new("go").env("GOTOOLCHAIN", "local").args(["env", "GOVERSION"]));
    match version.as_deref().and_then(|version| numbers(version.strip_prefix("go")?)) {
        Some(version) if version >= [1, 24] => Ok(()),
        _ => Err(Failure::missing("no Go 1.24", apt_command(&["golang-go"]))),
    }
}

fn system_java() -> Result<(), Failure> {
    let version = ask(Command::new("javac").arg("-version"));
    match version.as_deref().and_then(|version| numbers(version.strip_prefix("javac ")?)) {
        Some(version) if version >= [17, 0] && ask(Command::new("mvn").arg("--version")).is_some() => Ok(()),
        _ => Err(Failure::missing("no JDK 17 with Maven", apt_command(&["default-jdk-headless", "maven"]))),
    }
}

/// The first two numbers of a version; the second may be missing, or have a suffix.
fn numbers(version: &str) -> Option<[u32; 2]> {
    let mut parts = version.trim().split(|character: char| !character.is_ascii_digit());
    let first = parts.next()?.parse().ok()?;
    Some([first, parts.next().and_then(|second| second.parse().ok()).unwrap_or(0)])
}

/// Everything that Go fetches or makes goes into its folder, where `cargo clean` can remove it.
fn go_command(workspace: &Workspace) -> Command {
    let folder = go_folder(workspace);
    let mut go = Command::new("go");
    go.current_dir(foreign(workspace, "go")).env("GOTOOLCHAIN", "local").env("GOWORK", "off");
    go.env("GOFLAGS", "-mod=readonly -modcacherw -buildvcs=false");
    go.env("GOMODCACHE", folder.join("modules")).env("GOCACHE", folder.join("cache"));
    go
}

fn java_folder(workspace: &Workspace) -> PathBuf {
    workspace.tools().join("java")
}

fn python_folder(workspace: &Workspace) -> PathBuf {
    workspace.tools().join("python")
}

fn node_folder(workspace: &Workspace) -> PathBuf {
    workspace.tools().join("node")
}

/// Whether `folder` was made, to the end, from this very lock file.
fn is_made_from(folder: &Path, lock: &Path) -> bool {
    match (fs::read(folder.join("made-from.lock")), fs::read(lock)) {
        (Ok(then), Ok(now)) => then == now,
        _ => false,
    }
}

fn remember(folder: &Path, lock: &Path) -> Result<(), Failure> {
    copy(lock, &folder.join("made-from.lock"))
}

fn forget(folder: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(cannot("remove", folder, &error)),
        _ => Ok(()),
    }
}

pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::copy(from, to).map(|_| ()).map_err(|error| cannot("copy", from, &error))
}

fn cannot(verb: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::wrong(format!("can't {verb} {}: {error}", path.display()))
}

fn version_in(folder: &Path) -> u32 {
    folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_lock_file_makes_the_environment_stale() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("some.lock");
        fs::write(&lock, "a==1").unwrap();
        assert!(!is_made_from(folder.path(), &lock));
        remember(folder.path(), &lock).unwrap();
        assert!(is_made_from(folder.path(), &lock));
        fs::write(&lock, "a==2").unwrap();
        assert!(!is_made_from(folder.path(), &lock));
    }

    #[test]
    fn only_the_listed_files_pass() {
        let folder = tempfile::tempdir().unwrap();
        let list = tempfile::NamedTempFile::new().unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        fs::write(list.path(), format!("{abc}  a.jar\n")).unwrap();
        assert!(has_exactly(folder.path(), list.path()).is_err(), "missing");
        fs::write(folder.path().join("a.jar"), "abc").unwrap();
        assert_eq!(has_exactly(folder.path(), list.path()), Ok(()));
        fs::write(folder.path().join("b.jar"), "abc").unwrap();
        assert!(has_exactly(folder.path(), list.path()).is_err(), "one more");
        fs::remove_file(folder.path().join("b.jar")).unwrap();
        fs::write(folder.path().join("a.jar"), "abd").unwrap();
        assert!(has_exactly(folder.path(), list.path()).is_err(), "another");
    }

    #[test]
    fn versions_are_compared_by_their_first_two_numbers() {
        assert_eq!(numbers("1.26.8\n"), Some([1, 26]));
        assert_eq!(numbers("17.0.15"), Some([17, 0]));
        assert_eq!(numbers("21"), Some([21, 0]));
        assert_eq!(numbers("1.24rc1"), Some([1, 24]));
        assert_eq!(numbers("devel"), None);
    }

    #[test]
    fn the_newest_postgresql_is_by_number_not_by_name() {
        assert!(
            version_in(Path::new("/usr/lib/postgresql/9")) < version_in(Path::new("/usr/lib/postgresql/15"))
        );
    }
}
