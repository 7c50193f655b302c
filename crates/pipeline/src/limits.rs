//! The limits of the domain, in one place; people read docs/limits.md.

/// Bytes of a message as JSON, which is what SQS and the engine take.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// Bytes of the name of a feed: it is a message group, and SQS takes 128.
pub const FEED_BYTES_MAX: usize = 128;

/// Generations of a file whose end is kept in its receipt when it is replayed; of more, the oldest are forgotten.
pub const GENERATIONS_KEPT_MAX: usize = 10;
