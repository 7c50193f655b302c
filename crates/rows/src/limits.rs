//! Every limit of the row engine, in one place and asserted together. Going past one is a named rejection.

/// Longest record (one row with its quoted line breaks, one JSON value), in bytes. Longer: the file is refused.
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;
/// Longest value in one column of a row, in bytes. Longer: the row is rejected.
pub const FIELD_BYTES_MAX: usize = 64 * 1024;
/// Columns of a header or a Parquet schema. More: the file is refused.
pub const COLUMNS_MAX: usize = 4096;
/// Nesting of JSON values. Deeper: the row is rejected.
pub const JSON_DEPTH_MAX: usize = 64;
/// How many times its compressed size a file may grow when unpacked, once past `UNPACKED_BYTES_FREE`.
pub const UNPACK_RATIO_MAX: u64 = 1000;
/// Unpacked bytes that are never questioned, however small the packed file.
pub const UNPACKED_BYTES_FREE: u64 = 64 * 1024 * 1024;
/// Unpacked bytes of one file, all members together. More: the file is refused.
pub const UNPACKED_BYTES_MAX: u64 = 1024 * 1024 * 1024 * 1024;
/// Members of a zip file that are looked at. More: the file is refused.
pub const ZIP_MEMBERS_MAX: usize = 1000;
/// Bytes of the name of one zip member. More: the file is refused.
pub const ZIP_NAME_BYTES_MAX: usize = 4096;
/// Largest window a zstd frame may ask for, as a power of two (128 MiB).
pub const ZSTD_WINDOW_LOG_MAX: u32 = 27;
/// Unpacked bytes of one Parquet page. Larger: the file is refused.
pub const PARQUET_PAGE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of a Parquet footer. Larger: the file is refused.
pub const PARQUET_FOOTER_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Unpacked pages, dictionaries and buffers of a Parquet or Arrow file held at once. More: the file is refused.
pub const TABLE_HELD_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// Text of one batch of rows after which it ends early.
pub const TABLE_BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Rows of one batch.
pub const TABLE_BATCH_ROWS: usize = 8192;
/// Nesting of a Parquet or Arrow schema. Deeper: the file is refused.
pub const TABLE_DEPTH_MAX: usize = 32;
/// Rows of one row group of good rows.
pub const GOOD_GROUP_ROWS_MAX: usize = 128 * 1024;
/// Text of one row group of good rows after which it ends early.
pub const GOOD_GROUP_TEXT_BYTES: usize = 8 * 1024 * 1024;
/// Row groups of one file of good rows: its footer must be readable. More: the checked file is refused.
pub const GOOD_GROUPS_MAX: usize = 16 * 1024;
/// Bytes of one column of one row group of good rows. Larger, and the file of good rows is damaged.
pub const GOOD_PAGE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Rejected rows listed one by one in a report; totals stay exact.
pub const REJECTS_LISTED_MAX: usize = 100;
/// Memory for groups and ids when nothing else is said.
pub const MEMORY_BYTES_DEFAULT: usize = 512 * 1024 * 1024;
/// Least memory that a command line may ask for: enough for nine million transaction ids, with scratch space.
pub const MEMORY_BYTES_MIN: usize = 64_000_000;
/// Rows among which repeats are looked for; they are no fault, only counted.
pub const REPEATS_ROWS_MAX: usize = 1 << 20;
/// Characters of a value shown in a report.
pub const VALUE_SHOWN_CHARS_MAX: usize = 80;
/// Most fractional digits of a number, after trailing zeros are dropped.
pub const DECIMAL_SCALE_MAX: u32 = 18;
/// Most significant digits of a number.
pub const DECIMAL_DIGITS_MAX: u32 = 38;
/// Largest exponent of a number written with one, either way.
pub const DECIMAL_EXPONENT_MAX: i64 = 60;
/// Longest pattern that describes how a time is written, in bytes.
pub const TIME_PATTERN_BYTES_MAX: usize = 256;
/// Bytes of one group's key and totals put aside in scratch space. More: the file is refused.
pub const RUN_ENTRY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of one block of a contribution: 64 KiB and an entry with the longest name. More: reading it is refused.
pub const CONTRIBUTION_BLOCK_BYTES_MAX: usize = 256 * 1024;
/// Bytes of the footer of a contribution. More: the file, or reading the contribution, is refused.
pub const CONTRIBUTION_FOOTER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Ids of one file of ids. More: they are not taken, and reading such a file is refused.
pub const IDS_MAX: u64 = 1_000_000_000;
