//! The shapes of answers that are written elsewhere, as the OpenAPI document tells them.
#![expect(dead_code, reason = "they are documentation; what is answered is the receipt of the pipeline and the like")]

use std::collections::BTreeMap;

use serde::Deserialize;
use utoipa::openapi::{Content, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use super::problem::Problem;

/// What became of one object version. More fields than these may come.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Receipt {
    /// The key of the object, as uploaded.
    file_id: String,
    receipt_id: String,
    /// The stage word: `received`, `validating`, `validated`, …
    status: String,
    /// Who works on it, or did last: `validator`, `processor`, …
    stage: String,
    outcome: OutcomeName,
    /// When it last changed: milliseconds since 1970, as text.
    timestamp: String,
    /// The same in seconds.
    last_updated: u64,
    /// The same as RFC 3339.
    #[schema(format = DateTime)]
    updated_at: String,
    /// When the details expire, in seconds since 1970.
    expiration_time: u64,
    bucket_name: String,
    object_key: String,
    version_id: String,
    preset: PresetName,
    feed: String,
    /// Other names: the upload id, the sha256.
    aliases: Vec<String>,
    trace_id: String,
    /// Milliseconds since 1970.
    received_at: u64,
    /// What validation told: digest, contract, counts, drift, reasons.
    #[schema(required = true, nullable = true)]
    account: Option<Account>,
    attempts: u64,
    /// Times, attempts and failures of each stage.
    stages: BTreeMap<String, serde_json::Value>,
    #[schema(required = true, nullable = true)]
    blocked_by: Option<String>,
    #[schema(required = true, nullable = true)]
    duplicate_of: Option<String>,
    #[schema(required = true, nullable = true)]
    supersedes: Option<String>,
    #[schema(required = true, nullable = true)]
    superseded_by: Option<String>,
    generation: u32,
    /// What was written for it, by name.
    links: BTreeMap<String, serde_json::Value>,
    /// Time and word, oldest first.
    history: Vec<serde_json::Value>,
    /// All versions that have the name, the newest first.
    #[schema(required = false)]
    versions: Vec<String>,
}

/// What validation told.
#[derive(ToSchema)]
pub(super) struct Account {
    sha256: String,
    bytes: u64,
    counts: Counts,
    /// Rows that have a reason, by its name.
    reasons: BTreeMap<String, u64>,
}

/// Rows read are good, rejected and duplicate together.
#[derive(ToSchema)]
pub(super) struct Counts {
    rows: u64,
    good: u64,
    rejected: u64,
    duplicate: u64,
}

/// How a file ended.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum OutcomeName {
    InProgress,
    Failed,
    Completed,
    CompletedWithRejects,
    Rejected,
    Duplicate,
    Superseded,
}

/// A preset.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(super) enum PresetName {
    Files,
    Market,
    Transactions,
}

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// One JSON object.
    Json,
    /// A heading and a line for each.
    Csv,
}

/// A page of receipts.
#[derive(ToSchema)]
pub(super) struct Files {
    files: Vec<Receipt>,
    /// There is more: ask with this as `next`.
    #[schema(required = true, nullable = true)]
    next: Option<String>,
}

/// The report about refused rows.
#[derive(ToSchema)]
pub(super) struct Rejects {
    rows: u64,
    rejected: u64,
    duplicate: u64,
    /// Rows that have a reason, by its name; exact.
    reasons: BTreeMap<String, u64>,
    /// The first of them, with line, column, value, reasons and hint.
    rejects: Vec<serde_json::Value>,
}

/// Bars.
#[derive(ToSchema)]
pub(super) struct BarsPage {
    bars: Vec<Bar>,
    #[schema(required = true, nullable = true)]
    next: Option<String>,
}

/// A bar; numbers are text, so that nobody makes floats of them.
#[derive(ToSchema)]
pub(super) struct Bar {
    symbol: String,
    #[schema(format = DateTime)]
    start: String,
    open: String,
    high: String,
    low: String,
    close: String,
    volume: String,
    #[schema(required = true, nullable = true)]
    trades: Option<u64>,
    #[schema(required = true, nullable = true)]
    notional: Option<String>,
    /// None when the volume is 0.
    #[schema(required = true, nullable = true)]
    vwap: Option<String>,
    /// `trades` or `bars`.
    made_of: String,
    /// `provisional`, `final` or `restated`.
    state: String,
    revision: u32,
    /// The files and requests that add to it.
    sources: Vec<String>,
}

/// Totals.
#[derive(ToSchema)]
pub(super) struct TotalsPage {
    totals: Vec<Total>,
    #[schema(required = true, nullable = true)]
    next: Option<String>,
}

/// A total; sums are text, so that nobody makes floats of them.
#[derive(ToSchema)]
pub(super) struct Total {
    currency: String,
    status: String,
    merchant: String,
    #[schema(format = Date)]
    day: String,
    count: u64,
    sum: String,
    min: String,
    max: String,
    state: String,
    revision: u32,
    sources: Vec<String>,
}

/// Transactions.
#[derive(ToSchema)]
pub(super) struct TransactionsPage {
    transactions: Vec<Transaction>,
    #[schema(required = true, nullable = true)]
    next: Option<String>,
}

/// A transaction.
#[derive(ToSchema)]
pub(super) struct Transaction {
    transaction_id: String,
    #[schema(format = DateTime)]
    timestamp: String,
    /// Exact, as text.
    amount: String,
    currency: String,
    merchant: String,
    status: String,
    /// The file it came with, and its line there.
    receipt: String,
    line: u64,
}

/// Dead letters, the first that died first.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct DeadLetters {
    dead_letters: Vec<DeadLetter>,
}

/// What could not be finished. More fields come when it is asked for alone.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct DeadLetter {
    id: String,
    queue: String,
    stage: String,
    #[schema(required = true, nullable = true)]
    feed: Option<String>,
    #[schema(required = true, nullable = true)]
    receipt: Option<String>,
    #[schema(required = true, nullable = true)]
    file: Option<String>,
    sent_at: u64,
    died_at: u64,
    attempts: Vec<u64>,
    #[schema(required = true, nullable = true)]
    error: Option<String>,
    #[schema(required = true, nullable = true)]
    code: Option<String>,
}

/// What a replay would change in one file.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Preview {
    receipt_id: String,
    file_id: String,
    #[schema(required = true, nullable = true)]
    before: Option<Account>,
    after: Account,
    changes: bool,
}

/// Files begun anew, or what that would change.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Replayed {
    dry_run: bool,
    /// Files that would change, or that were begun anew.
    count: u64,
    /// What would change, file by file.
    previews: Vec<Preview>,
    /// Receipts that were begun anew.
    receipts: Vec<String>,
    /// Behind this it goes on, if there may be more.
    next: Option<String>,
}

/// A problem of these statuses.
macro_rules! problems {
    ($($name:ident $status:literal $said:literal)*) => {$(
        #[doc = $said]
        pub(super) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                BTreeMap::from([($status.to_owned(), problem($said))])
            }
        }
    )*};
}

problems! {
    BadRequest "400" "The request is not understood."
    NotFound "404" "There is no such thing."
    Conflict "409" "Not yet: ask again."
    TooLarge "413" "The body is too large."
    Unsupported "415" "The body is packed or written in a way that is not read here."
    TimedOut "408" "The rest of the body did not come."
    Unprocessable "422" "Well written, but it cannot be taken."
}

/// A problem as an answer.
pub(super) fn problem(said: &str) -> RefOr<Response> {
    let schema = RefOr::Ref(utoipa::openapi::Ref::from_schema_name(Problem::name()));
    let content = Content::new(Some(schema));
    ResponseBuilder::new().description(said).content("application/problem+json", content).build().into()
}

/// The schema of a problem, which all routes share.
pub(super) fn problem_schema() -> RefOr<utoipa::openapi::schema::Schema> {
    Problem::schema()
}
