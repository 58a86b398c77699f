# An index of one-liners; the logic is in `cargo xtask` and in `procura` itself.

# list what there is
default:
    @just --list

# a server with sample data, and a ready-to-paste curl
demo *ARGS:
    cargo run --release -- demo {{ARGS}}

# the demo with an API behind a guard, and the commands to try it
example *ARGS:
    cargo xtask example {{ARGS}}

# every check there is; `just test --install` gets what it needs first
test *ARGS:
    cargo xtask test {{ARGS}}

# the checks that need no running server
quick:
    cargo xtask test --quick

# the tests of one crate: `just t engine`
t CRATE *ARGS:
    cargo test --package procura-{{CRATE}} {{ARGS}}

# format everything
fmt:
    cargo fmt --all

# lint everything, as CI does
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# the drawing of the layers, and what may be depended on
layers:
    cargo xtask layers
    cargo xtask deny

# known vulnerabilities in dependencies
advisories:
    cargo xtask advisories

# the figures of docs/performance.md
bench *ARGS:
    cargo xtask bench {{ARGS}}

# attack the server in every way that has a name
adversary:
    cargo xtask adversary

# kill servers under load
crash RUNS="100":
    cargo xtask crash --runs {{RUNS}}

# compare the time that refusals take
timing:
    cargo xtask timing

# fuzz one target: `just fuzz form --seconds 60`
fuzz TARGET *ARGS:
    cargo xtask fuzz {{TARGET}} {{ARGS}}

# the documentation of every crate
doc:
    cargo doc --workspace --no-deps --open
