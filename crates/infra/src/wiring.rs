//! Finds in a finished template what the cloud would only notice at work.
