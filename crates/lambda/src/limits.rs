//! The limits of the functions, in one place; people read `docs/limits.md`.

/// Bytes of one part of a large object, and of what is read ahead of one that is read from front to back.
pub const PART_BYTES: usize = 8 * 1024 * 1024;

/// Bytes that are asked for first after a seek; doubled with every read that goes on from there, up to [`PART_BYTES`].
pub const READ_BYTES_MIN: usize = 256 * 1024;

/// Parts of one object, as S3 limits them.
pub const PARTS_MAX: usize = 10_000;

/// Bytes of a key of an object, as S3 limits them.
pub const S3_KEY_BYTES_MAX: usize = 1024;

/// Conditions, puts and deletes of one transaction, as DynamoDB limits them.
pub const TRANSACT_ITEMS_MAX: usize = 100;

/// States of files that a commit writes in its transaction; of more, those of files that it begins anew are left to what
/// these say next.
pub const STATES_PER_COMMIT_MAX: usize = 60;

/// Bytes of one transaction: DynamoDB takes 4 MB, names and numbers included.
pub const TRANSACT_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Bytes of one item: DynamoDB takes 400 KB, names included. Twice the content of a record must fit.
pub const ITEM_BYTES_MAX: usize = 390 * 1024;

/// Items of one call that writes without conditions, as DynamoDB limits them.
pub const BATCH_ITEMS_MAX: usize = 25;

/// Such calls under way at a time.
pub const BATCHES_AT_ONCE_MAX: usize = 8;

/// Times that items are tried again when the table takes none of them; past it, the call fails and comes again.
pub const BATCH_TRIES_MAX: u32 = 10;

/// Rows of `transactions` after which it is written down how many are in their table: a call that ends early, or fails, is
/// gone on with from there.
pub const STORED_ROWS_PER_CHECKPOINT: usize = 2_000;

/// Bytes of a transaction id that is the key of its row; a longer one is there by its hash. DynamoDB takes 2048.
pub const TRANSACTION_ID_BYTES_MAX: usize = 2_000;

/// Instruments of which one process remembers that they are listed.
pub const SYMBOLS_REMEMBERED_MAX: usize = 10_000;

/// Bytes of messages that are kept beside the mark of their commit; more are kept in items of their own.
pub const OUTBOX_BYTES_MAX: usize = 300 * 1024;

/// Times a commit is tried anew while others are at its records; past it, the message is delivered again.
pub const COMMIT_TRIES_MAX: u32 = 12;

/// Messages and bytes of one call to SQS.
pub const SEND_MESSAGES_MAX: usize = 10;

/// See [`SEND_MESSAGES_MAX`].
pub const SEND_BYTES_MAX: usize = 256 * 1024;

/// Events of one call to EventBridge.
pub const EVENTS_MAX: usize = 10;

/// Bytes of the events of one call to EventBridge, their names, sources and times included; and of one message to SNS.
pub const EVENTS_BYTES_MAX: usize = 256 * 1024;

/// Bytes of the body of one event; past it, the event is told without its details.
pub const EVENT_BYTES_MAX: usize = 255 * 1024;

/// Seconds for which the bus of files begun anew is waited for, where no workflow says for how long; past it, the call comes
/// again.
pub const ANEW_SECONDS_MAX: u64 = 60;

/// Times an event is sent that EventBridge did not take; past it, the call comes again.
pub const ANNOUNCE_TRIES_MAX: u32 = 3;

/// Records that say what is to be told, and that are told and taken away at once.
pub const NOTICES_AT_ONCE_MAX: usize = 100;

/// Calls to services that are told to X-Ray of one call of a function.
pub const SUBSEGMENTS_MAX: usize = 100;

/// Seconds before the end of a call at which a stage that has its last attempt and is not done is given up.
pub const LAST_WORD_SECONDS: u64 = 10;

/// Seconds for which the source of a commit is remembered: 4 days in a queue and 14 among dead letters.
pub const SOURCE_SECONDS: u64 = 18 * 24 * 60 * 60;

/// Bytes of a body that comes through the API; past it, a place to upload to is asked for. API Gateway takes 10 MB, a
/// function 6 MB, of which a body in base64 uses four for three.
pub const REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Seconds for which a place to upload to may be used.
pub const UPLOAD_SECONDS: u64 = 15 * 60;

/// Records of one request to ingest.
pub const INGEST_RECORDS_MAX: usize = 10_000;

/// Commits whose outcome one process remembers.
pub const MARKS_REMEMBERED_MAX: usize = 10_000;

/// Seconds of one attempt to connect to a service.
pub const CONNECT_SECONDS_MAX: u64 = 3;

/// Seconds of one attempt at a call to DynamoDB, SQS, SNS or EventBridge; a connection that died is not waited for until the function's
/// time is over.
pub const CALL_SECONDS_MAX: u64 = 10;

/// Seconds of one attempt at a call to S3, which may carry a part.
pub const PART_SECONDS_MAX: u64 = 60;
