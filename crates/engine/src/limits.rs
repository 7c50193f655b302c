//! The limits of the engine, in one place; people read docs/limits.md.

/// Bytes of all sealed journals of the store; past it, tables are written out until journals can go.
pub const JOURNAL_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Bytes of new data that a table keeps in memory before it writes them out.
pub const TABLE_MEMORY_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Bytes after which one commit takes no further callers along; the others wait for the next.
pub const COMMIT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Changes that messages whose time has come may add to one commit; the rest of them follow in the next.
pub const COMMIT_CHANGES_MAX: usize = 50_000;

/// Calls that may wait for a commit; one more is refused, to be tried again.
pub const CALLS_WAITING_MAX: usize = 100_000;

/// Bytes of everything in one transaction; past it, it is refused.
pub const TRANSACTION_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Records, acknowledgements and sends in one transaction; past it, it is refused.
pub const TRANSACTION_PARTS_MAX: usize = 10_000;

/// Bytes of the key of a record; past it, the transaction is refused.
pub const KEY_BYTES_MAX: usize = 4096;

/// Bytes of the body of a message, as in SQS before it grew; past it, the send is refused.
pub const BODY_BYTES_MAX: usize = 256 * 1024;

/// Bytes of the name of a message group or of a deduplication id, as in SQS; past it, the send is refused.
pub const NAME_BYTES_MAX: usize = 128;

/// Bytes of what a receiver says when it gives a message back; the rest is cut off.
pub const NOTE_BYTES_MAX: usize = 16 * 1024;

/// Attempts of a message that are kept with their times; of more, the first are forgotten.
pub const ATTEMPTS_KEPT_MAX: usize = 10;

/// Messages that one receive may take, as in SQS; past it, the receive is refused.
pub const RECEIVE_MESSAGES_MAX: usize = 10;

/// Messages of a queue that may be in flight, as in SQS; past it, nothing is received.
pub const IN_FLIGHT_MAX: usize = 120_000;

/// Messages that all queues may hold together; past it, sends are refused.
pub const MESSAGES_MAX: usize = 10_000_000;

/// Messages that one purge or redrive moves in one commit; the whole of a queue is done in steps.
pub const STEP_MESSAGES_MAX: usize = 10_000;

/// Messages that must be gone, and more than are there, before the disk space they took is given back.
pub const SWEEP_MESSAGES_MIN: usize = 100_000;

/// Entries of one page of a listing; more are not given.
pub const PAGE_ENTRIES_MAX: usize = 1000;

/// Queues that may be declared; past it, opening is refused.
pub const QUEUES_MAX: usize = 1000;

/// Time for which a message may be delayed, as in SQS: 15 minutes; past it, the send is refused.
pub const DELAY_MS_MAX: u64 = 15 * 60 * 1000;

/// Time from its receive on that a message may be kept in flight, as in SQS: 12 hours; past it, the call is refused.
pub const VISIBILITY_MS_MAX: u64 = 12 * 60 * 60 * 1000;

/// Time for which a queue may keep messages, as in SQS: 14 days; past it, opening is refused.
pub const RETENTION_MS_MAX: u64 = 14 * 24 * 60 * 60 * 1000;

/// Time in which a send with an id or a content that was seen is not delivered again, as in SQS: 5 minutes.
pub const DEDUPLICATION_MS: u64 = 5 * 60 * 1000;

/// Bytes of an object that lies in the store; larger ones are files.
pub const SMALL_OBJECT_BYTES_MAX: usize = 64 * 1024;

/// Bytes of an object; past it, writing is refused.
pub const OBJECT_BYTES_MAX: u64 = 1024 * 1024 * 1024 * 1024;

/// Bytes of the name of a bucket; past it, the call is refused.
pub const BUCKET_BYTES_MAX: usize = 255;

/// Bytes of the key of an object, as in S3; past it, the call is refused.
pub const OBJECT_KEY_BYTES_MAX: usize = 1024;

/// Bytes of what the sender of an object says of it, which is kept beside it; past it, writing is refused.
pub const ATTRIBUTES_BYTES_MAX: usize = 16 * 1024;

/// Bytes that a session stages before it wants to be flushed; one more step must fit into the same transaction.
pub const SESSION_BYTES_MAX: usize = TRANSACTION_BYTES_MAX / 2;

/// Records, conditions, sends and objects that a session stages before it wants to be flushed.
pub const SESSION_PARTS_MAX: usize = TRANSACTION_PARTS_MAX / 2;

/// Time for which the source of a commit is remembered: longer than its message can come again, which is 4 days in its
/// queue and 14 days as a dead letter.
pub const SOURCE_KEPT_MS: u64 = 18 * 24 * 60 * 60 * 1000;
