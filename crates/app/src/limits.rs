//! Every limit of the service and its client, in one place; people read `docs/limits.md`.

/// Connections of one port at a time.
pub const CONNECTIONS_MAX: usize = 4096;
/// Connections of one address at a time, to one port, unless `source_connections` says otherwise.
pub const SOURCE_CONNECTIONS_MAX: u32 = 1024;
/// Bytes of the head of a request.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Time in which the head of a request must have come.
pub const HEAD_SECONDS_MAX: u64 = 20;
/// Time in which a connection must have agreed on a cipher.
pub const HANDSHAKE_SECONDS_MAX: u64 = 10;
/// Time for which a client may take nothing of an answer.
pub const STALLED_SECONDS_MAX: u64 = 60;
/// Time in which requests that are under way may end when the service stops.
pub const DRAIN_SECONDS_MAX: u64 = 20;
/// Letters of the id of a request that a client brings.
pub const REQUEST_ID_BYTES_MAX: usize = 128;
/// Time in which the next piece of a body must come, unless `piece_seconds` says otherwise.
pub const BODY_PIECE_SECONDS_MAX: u32 = 60;
/// Bytes of a body that must come in a second: it is given up once it was waited for longer than twice the time for a piece,
/// and a second for every so many bytes that came.
pub const BODY_BYTES_PER_SECOND_MIN: u64 = 1024;
/// Bytes of a field of a form that is not the file.
pub const FORM_FIELD_BYTES_MAX: usize = 4096;
/// Bytes of a file in a form to the S3 door: it is held in memory.
pub const FORM_FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Forms that the S3 door reads at a time.
pub const FORMS_MAX: usize = 4;
/// Bytes of a chunk of a body to the S3 door that is signed by itself: it is held in memory.
pub const SIGNED_CHUNK_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Bytes of a request to the S3 door that says in XML what is to be done: it is held in memory.
pub const XML_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What the S3 door may hold in memory of any one body, whatever it holds of the others.
pub const BODY_BYTES_FREE: usize = 256 * 1024;
/// Bytes of an `Idempotency-Key`.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// Bytes of a request to `POST /ingest`, unless `ingest_bytes_max` says otherwise: it is held in memory.
pub const INGEST_BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Records of one, unless `ingest_records_max` says otherwise.
pub const INGEST_BODY_RECORDS_MAX: usize = 100_000;
/// Bytes of the name of an instrument: it is part of the key of a record.
pub const SYMBOL_BYTES_MAX: usize = 256;
/// Refused records that an answer lists.
pub const ERRORS_LISTED_MAX: usize = 100;
/// Answers that are written at a time; each has a thread while it is.
pub const STREAMS_MAX: usize = 64;
/// Time in which a client must take a piece of an answer.
pub const ANSWER_PIECE_SECONDS_MAX: u64 = 60;
/// Bars, totals or transactions of one page.
pub const ANSWER_ENTRIES_MAX: usize = 100_000;
/// Files of one page.
pub const PAGE_FILES_MAX: usize = 1000;
/// Files that are looked at for one page: the rest is on the next.
pub const PAGE_LOOKED_MAX: usize = 10_000;
/// Files that one `POST /replay` begins anew, or looks at: the rest is on the next page.
pub const REPLAYS_MAX: usize = 1000;
/// Events that a listener may be behind.
pub const EVENTS_BEHIND_MAX: usize = 1024;
/// Bytes of a signed body that does not declare its hash: it is held in memory to be compared.
pub const SIGNED_BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of bodies that the HTTP API holds in memory at a time; so many again of those whose signature cannot be checked before
/// they are there; and so many the S3 door.
pub const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Seconds by which the clocks of client and server may differ.
pub const SKEW_SECONDS_MAX: i64 = 15 * 60;
/// Seconds for which a presigned request may hold.
pub const LINK_SECONDS_MAX: i64 = 7 * 24 * 60 * 60;
/// Keys of one folder, revoked ones among them.
pub const KEYS_MAX: usize = 10_000;
/// Letters of the name of a partner.
pub const PARTNER_BYTES_MAX: usize = 63;
/// Keys, and addresses, whose requests are counted apart.
pub const CALLERS_COUNTED_MAX: usize = 10_000;
/// Objects that one S3 request deletes, as S3 has it.
pub const DELETED_MAX: usize = 1000;
/// Entries of one page of an S3 listing, as S3 has it.
pub const LISTED_KEYS_MAX: usize = 1000;
/// Buckets that clients may make, as S3 has it.
pub const OWN_BUCKETS_MAX: usize = 1000;
/// Bytes up to which an ETag is an MD5: of more, clients make parts, whose ETag is none either. An MD5 takes more time than
/// everything else that is done to the bytes.
pub const MD5_BYTES_MAX: i64 = 16 * 1024 * 1024;
/// Webhooks that may be declared.
pub const WEBHOOKS_MAX: usize = 32;
/// Time in which the receiver of a webhook must have answered.
pub const WEBHOOK_SECONDS_MAX: u64 = 15;
/// Files whose spans wait for the collector.
pub const TRACES_WAITING_MAX: usize = 4096;
/// Lines of the log that wait to be written.
pub const LINES_WAITING_MAX: usize = 64 * 1024;
/// Combinations of labels of a metric that are kept apart: methods and routes are few, but come from outside.
pub const SERIES_MAX: usize = 2000;
/// The longest `Retry-After` that `millrace upload` waits for.
pub const RETRY_AFTER_SECONDS_MAX: u64 = 120;
/// Time in which a file that was sent must be made safe.
pub const SAFE_SECONDS_MAX: u64 = 600;
