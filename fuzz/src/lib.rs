//! What the fuzz targets do with their input, one function per target. A broken promise of the row engine is a panic.
//!
//! The functions are here and not in the targets so that the tests of `rows` can run them too: over the seeds, and over
//! every input that once broke something.

mod contracts;
mod csv;
mod decimals;
mod json;
mod oracle;
mod parquet;
mod timestamps;
mod unpack;
mod whole;

pub use contracts::contracts;
pub use csv::csv;
pub use decimals::decimals;
pub use json::json;
pub use parquet::parquet;
pub use timestamps::timestamps;
pub use unpack::unpack;
