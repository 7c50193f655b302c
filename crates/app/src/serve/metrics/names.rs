//! The names of everything that is exported; docs/metrics.md has them for people.

/// One name.
pub(in crate::serve) struct Name {
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    pub help: &'static str,
}

const fn name(name: &'static str, kind: &'static str, help: &'static str) -> Name {
    Name { name, kind, help }
}

/// All of them, in the order in which they are exported.
pub(in crate::serve) const NAMES: &[Name] = &[
    name("millrace_requests_total", "counter", "Requests that were answered."),
    name("millrace_request_seconds", "histogram", "Time to answer a request, until its body begins."),
    name("millrace_files_total", "counter", "Files that came to an end, by how they ended."),
    name("millrace_rows_total", "counter", "Rows of these files: good, rejected or duplicate."),
    name("millrace_file_bytes_total", "counter", "Bytes of these files."),
    name("millrace_received_bytes_total", "counter", "Bytes of bodies that clients announced."),
    name("millrace_sent_bytes_total", "counter", "Bytes of bodies that were promised to clients."),
    name("millrace_log_lines_lost_total", "counter", "Lines that the log could not take in time."),
    name("millrace_spans_lost_total", "counter", "Spans that no collector took."),
    name("millrace_stage_attempts_total", "counter", "Attempts at stages: done or failed."),
    name("millrace_stage_seconds_total", "counter", "Time that attempts at a stage took together."),
    name("millrace_queue_messages", "gauge", "Messages of a queue: visible, in_flight or delayed."),
    name("millrace_queue_oldest_seconds", "gauge", "Age of the oldest message of a queue; 0 without one."),
    name("millrace_dead_letters", "gauge", "Dead letters of a queue."),
    name("millrace_alarm", "gauge", "1 for each alarm that is on."),
    name("millrace_store_bytes", "gauge", "Disk space of the store."),
    name("millrace_object_bytes", "gauge", "Disk space of objects that are files."),
    name("millrace_process_resident_bytes", "gauge", "Memory of the process."),
    name("millrace_uptime_seconds", "gauge", "Time since the service began."),
];
