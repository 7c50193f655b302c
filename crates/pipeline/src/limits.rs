//! The limits of the domain, in one place; people read docs/limits.md.

/// Bytes of a message as JSON, which is what SQS and the engine take.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// Bytes of the name of a feed: it is a message group, and SQS takes 128.
pub const FEED_BYTES_MAX: usize = 128;

/// Generations of a file whose end is kept in its receipt when it is replayed; of more, the oldest are forgotten.
pub const GENERATIONS_KEPT_MAX: usize = 10;

/// Feeds that may be declared; past it, the settings are refused.
pub const FEEDS_MAX: usize = 1000;

/// Times a stage decides anew because others changed what it decided by; past it, the message is delivered again.
pub const DECISIONS_MAX: u32 = 20;

/// Copies and versions of a file that learn in one commit what it is to them; of more, those that stay duplicates are told
/// in commits before.
pub const RELATIVES_PER_COMMIT_MAX: usize = 50;

/// Ids of one file that are kept as records; a file with more has them in an object of its own.
pub const IDS_AS_RECORDS_MAX: usize = 2000;

/// Files of a feed that took transaction ids last, of whom is known that they did; a file during whose parsing more did is
/// parsed again.
pub const TURNS_KEPT_MAX: usize = 16;

/// Times a file is parsed because others took transaction ids meanwhile that make a difference to it; past it, the message
/// is delivered again.
pub const PARSINGS_MAX: u32 = 5;

/// Bytes from which on a file's stages say that they have begun, in a commit of its own.
pub const BEGUN_TOLD_BYTES_MIN: u64 = 4 * 1024 * 1024;

/// Files and requests that a window of `market` names as those its rows came with; of more, those that are first by name.
pub const WINDOW_SOURCES_MAX: usize = 1000;

/// Rows of a `market` file; one with more is refused, for `files` takes it.
pub const MARKET_FILE_ROWS_MAX: u64 = 1_000_000;

/// Records in one message of `market`.
pub const RECORDS_PER_MESSAGE_MAX: usize = 500;

/// Files whose contributions one question may take in; past it, the question is refused.
pub const QUERY_FILES_MAX: usize = 50_000;
