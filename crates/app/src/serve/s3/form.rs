//! Files that browsers send as forms (`POST` of a bucket). `s3s` reads such a form whole before anybody is asked who they
//! are, so a file in one is small, and few are read at a time.

use std::sync::Arc;

use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use s3s::config::{S3Config, StaticConfigProvider};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::limits::{FORM_FILE_BYTES_MAX, FORMS_MAX, XML_BYTES_MAX};

static FORMS: Semaphore = Semaphore::const_new(FORMS_MAX);

/// Bytes of all fields of a form, and of the piece of the file that comes with the last of them.
const FIELDS_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of one, which may be a policy.
const FIELD_BYTES_MAX: usize = 64 * 1024;
const FIELDS_MAX: usize = 100;

/// How much `s3s` takes of what it reads whole.
pub(super) fn limits() -> Arc<StaticConfigProvider> {
    let mut config = S3Config::default();
    config.xml_max_body_size = XML_BYTES_MAX;
    config.post_object_max_file_size = FORM_FILE_BYTES_MAX;
    config.form_max_fields_size = FIELDS_BYTES_MAX;
    config.form_max_field_size = FIELD_BYTES_MAX;
    config.form_max_parts = FIELDS_MAX;
    Arc::new(StaticConfigProvider::new(Arc::new(config)))
}

/// Whether a request could be read as a form.
pub(super) fn is_form(method: &Method, headers: &HeaderMap) -> bool {
    let is_so = |kind: &[u8]| String::from_utf8_lossy(kind).to_ascii_lowercase().contains("multipart/form-data");
    *method == Method::POST && headers.get_all(CONTENT_TYPE).iter().any(|kind| is_so(kind.as_bytes()))
}

/// A place among the forms that are read at a time, if there is one.
pub(super) fn place() -> Option<SemaphorePermit<'static>> {
    FORMS.try_acquire().ok()
}
