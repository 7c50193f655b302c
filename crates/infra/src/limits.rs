//! The limits of templates, in one place; people read `docs/limits.md`.

/// The name of an environment that is longer is refused: with it, the name of a role would be longer than the cloud
/// takes (64), and that of a bucket (63).
pub const ENVIRONMENT_BYTES_MAX: usize = 30;
