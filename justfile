# What one does with this project, as recipes. `./just` runs them on a fresh clone.

set shell := ["sh", "-euc"]
set positional-arguments
set ignore-comments

target := env("CARGO_TARGET_DIR", justfile_directory() / "target")
tools := justfile_directory() / "target/tools"

# The list of recipes
[private]
default:
    @{{ quote(just_executable()) }} --justfile {{ quote(justfile()) }} --list --unsorted

# Make sample files, good and bad, take them through the pipeline and show what became of every row
run:
    #!/bin/sh
    set -eu
    cargo build --release -p app -p rows --bins --example generate
    millrace="{{ target }}/release/millrace"
    rm -rf target/samples target/samples-data
    "{{ target }}/release/examples/generate" samples --out target/samples
    show() { echo; echo "\$ millrace $*"; "$millrace" "$@" --data target/samples-data; }
    # 3 says that some rows were rejected: the samples hold bad rows on purpose
    show run target/samples/* || [ $? -eq 3 ]
    show status transactions.csv
    show rejects transactions.csv
    show bars --interval 1h --symbol NVDA | head -n 7
    show totals --currency EUR --status completed | head -n 7
    show doctor

# Everything CI runs: format, lints, docs, dependencies, templates, tests
check: format-check lint docs deny test-template test-aws test

# All tests (the tidy rules and doc tests too), or those whose name contains WORD
test *WORD:
    #!/bin/sh
    set -eu
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run --workspace "$@"
        # nextest runs no doc tests
        [ $# -gt 0 ] || cargo test --workspace --doc
    else
        cargo test --workspace -- "$@"
    fi

# Simulate one SEED with every call failing in every way; a failure of the simulation names its seed
sim SEED:
    MILLRACE_SIM_SEED="$1" cargo test -p pipeline --test it sim::every_call -- --nocapture

# Format all Rust code
fmt:
    cargo fmt --all

# Whether all Rust code is formatted
format-check:
    cargo fmt --all --check

# Lints, as errors
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# The documentation of the code; a broken link is an error
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Licences, bans and sources of all dependencies (the first time it compiles cargo-deny)
deny: (tool "cargo-deny" "0.20.2")
    "{{ tools }}/bin/cargo-deny" --locked check licenses bans sources

# The templates against cfn-lint, our own rules and checkov (the first time it installs them and compiles cfn-guard)
test-template: (tool "cfn-guard" "3.2.1")
    aws/check-template "{{ tools }}/bin/cfn-guard"

# The functions against a server that speaks as AWS does (the first time it installs MiniStack)
test-cloud:
    aws/test-cloud

# The S3 door against two public suites (the first time it compiles one of them, which takes minutes)
test-s3: (tool "s3s-e2e" "0.14.1")
    cargo build -p app
    python3 conformance/s3.py s3s-e2e --suite "{{ tools }}/bin/s3s-e2e"
    python3 conformance/s3.py minio

# Clients at three times the limits for so many SECONDS, and what came of it; one of the tests does it for 15
overload SECONDS="60":
    MILLRACE_OVERLOAD_SECONDS="$1" cargo test -p app --test it overload:: -- --nocapture

# The stacks on such a server: deployed, every property read back, used through their doors, destroyed
test-aws *ARGS:
    aws/test-aws "$@"

# The program of the functions for ARCH, arm64 or x86_64; started once where that can be (it compiles for minutes)
bootstrap ARCH="arm64":
    aws/build-bootstrap "$1"

# Measure WHAT against what one would use instead, answers compared: `just bench rows`
bench WHAT *ARGS:
    @what=$1; shift; exec python3 "bench/$what.py" "$@"

# Fuzz one TARGET of fuzz/ for so many SECONDS
fuzz TARGET SECONDS="60":
    @fuzz/run "$@"

# Accept what the tests now produce as the new snapshots; read the diff before committing it
snap:
    INSTA_UPDATE=always INSTA_FORCE_PASS=1 cargo test --workspace

# Remove everything that was built, downloaded or generated
clean:
    cargo clean
    rm -rf target bench-data fuzz/target

# Installs the cargo tool NAME at VERSION into target/tools, unless it is there; unoptimised, which compiles in half the
# time and is quick enough
[private]
tool NAME VERSION:
    @"{{ tools }}/bin/$1" --version 2>/dev/null | grep -qF " $2" || \
        CARGO_PROFILE_DEV_DEBUG=0 cargo install "$1" --debug --locked --version "$2" --root "{{ tools }}"
