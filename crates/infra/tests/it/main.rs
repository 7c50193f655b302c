//! The templates as they are given to the cloud.
#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

mod names;
mod requirements;
mod snapshots;
mod wiring;

use infra::{Environment, Settings};

/// What a template is made for unless a test says otherwise.
fn settings(environment: &str) -> Settings {
    let environment: Environment = environment.parse().unwrap();
    Settings { environment, architecture: Default::default(), package: Default::default() }
}
