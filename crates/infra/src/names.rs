//! Names: of things in the cloud, which end with the environment, and of resources in a template, which do not.

use pipeline::topology::{Queue, Role};

use crate::settings::Environment;

/// The name of a thing in an environment.
pub fn named(name: &str, environment: &Environment) -> String {
    format!("{name}-{}", environment.as_str())
}

/// The name of a queue in an environment.
pub fn queue_name(queue: &Queue, environment: &Environment) -> String {
    let suffix = if queue.fifo { ".fifo" } else { "" };
    named(queue.name, environment) + suffix
}

/// A logical id: the words of the name in capitals, and what it is, unless the name says so itself.
pub fn logical_id(name: &str, kind: &str) -> String {
    let id = capitals(name);
    if id.ends_with(kind) { id } else { id + kind }
}

/// The logical id of a queue.
pub fn queue_id(queue: &Queue) -> String {
    match queue.role {
        Role::Work { .. } => logical_id(queue.name, "Queue"),
        // `dlq` says that it is one
        Role::DeadLetters => capitals(queue.name),
    }
}

/// `file-validator` as `FileValidator`; so are the parts of a path, without their slashes and braces.
pub fn capitals(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| word[..1].to_ascii_uppercase() + &word[1..]).collect()
}

/// `file-validator` as `fileValidator`, as outputs are named.
pub fn camel(name: &str) -> String {
    let id = capitals(name);
    let first = id.get(..1).unwrap_or_default().to_ascii_lowercase();
    first + id.get(1..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_readable() {
        assert_eq!(logical_id("file-validator", "Function"), "FileValidatorFunction");
        assert_eq!(logical_id("ProcessingQueue", "Queue"), "ProcessingQueue");
        assert_eq!(capitals("/status/{proxy+}"), "StatusProxy");
        assert_eq!(camel("DataIngestion"), "dataIngestion");
        assert_eq!(camel(""), "");
    }
}
