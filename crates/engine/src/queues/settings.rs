//! What a queue is: declared by the program each time it opens the folder.

use crate::limits::{DELAY_MS_MAX, NAME_BYTES_MAX, QUEUES_MAX, RETENTION_MS_MAX, VISIBILITY_MS_MAX};
use crate::queues::{Error, Millis, Result};

/// One queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Its name; what was sent to it is found again under the same name.
    pub name: String,
    /// In what order it delivers.
    pub kind: Kind,
    /// For how long a received message is nobody else's, when the receive does not say.
    pub visibility_ms: Millis,
    /// For how long a message is not delivered after it was sent, when the send does not say.
    pub delay_ms: Millis,
    /// For how long a message that nobody receives is kept.
    pub retention_ms: Millis,
    /// Where messages go that were received in vain.
    pub redrive: Option<Redrive>,
}

/// In what order a queue delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Oldest first as far as possible, no promise.
    Standard,
    /// The messages of a group in the order they were sent, one batch in flight at a time; each once in 5 minutes.
    Fifo {
        /// Whether a message without a deduplication id is known by its content.
        by_content: bool,
        /// What becomes of a group when one of its messages becomes a dead letter.
        on_dead: OnDead,
    },
}

/// What becomes of a group when one of its messages becomes a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnDead {
    /// The group goes on with the next message.
    SkipAndMark,
    /// The group waits until the dead letter is redriven or purged.
    Park,
    /// Only these groups wait, sorted by name; the others go on.
    ParkGroups(Vec<String>),
}

/// Where messages go that were received in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrive {
    /// The name of the dead-letter queue, of the same kind.
    pub to: String,
    /// So many receives, and the message is a dead letter when the last of them ends without an acknowledgement.
    pub receives_max: u32,
}

const DAY_MS: Millis = 24 * 60 * 60 * 1000;

impl Settings {
    /// A queue with the times that SQS has where nothing is said: 30 seconds in flight, no delay, 4 days.
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        let (visibility_ms, retention_ms) = (30_000, 4 * DAY_MS);
        Self { name: name.into(), kind, visibility_ms, delay_ms: 0, retention_ms, redrive: None }
    }

    /// A standard queue.
    pub fn standard(name: impl Into<String>) -> Self {
        Self::new(name, Kind::Standard)
    }

    /// A FIFO queue whose groups go on after a dead letter; senders give deduplication ids.
    pub fn fifo(name: impl Into<String>) -> Self {
        Self::new(name, Kind::Fifo { by_content: false, on_dead: OnDead::SkipAndMark })
    }

    /// The dead-letter queue of this one: the same kind, 14 days.
    pub fn dead_letters(&self, name: impl Into<String>) -> Self {
        Self { retention_ms: 14 * DAY_MS, ..Self::new(name, self.kind.clone()) }
    }

    /// The same with a dead-letter queue.
    #[must_use]
    pub fn redrive(mut self, to: impl Into<String>, receives_max: u32) -> Self {
        self.redrive = Some(Redrive { to: to.into(), receives_max });
        self
    }

    pub(crate) fn is_fifo(&self) -> bool {
        matches!(self.kind, Kind::Fifo { .. })
    }

    /// Whether this group waits for its dead letters.
    pub(crate) fn parks(&self, group: &str) -> bool {
        match &self.kind {
            Kind::Standard | Kind::Fifo { on_dead: OnDead::SkipAndMark, .. } => false,
            Kind::Fifo { on_dead: OnDead::Park, .. } => true,
            Kind::Fifo { on_dead: OnDead::ParkGroups(groups), .. } => {
                groups.binary_search_by(|known| known.as_str().cmp(group)).is_ok()
            }
        }
    }
}

/// Whether the queues make sense, each by itself and together.
pub(crate) fn check(all: &[Settings]) -> Result<()> {
    if all.len() > QUEUES_MAX {
        let message = format!("{} queues are declared, more than {QUEUES_MAX}", all.len());
        return Err(Error::invalid(message, "declare fewer"));
    }
    for (place, settings) in all.iter().enumerate() {
        let name = &settings.name;
        let wrong = |what: String, hint| Err(Error::invalid(format!("queue `{name}`: {what}"), hint));
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return wrong(format!("its name has {} bytes", name.len()), "give it a name of 1 to 128 bytes");
        }
        if all[..place].iter().any(|earlier| earlier.name == *name) {
            return wrong("it is declared twice".to_owned(), "keep one of the two");
        }
        if let Kind::Fifo { on_dead: OnDead::ParkGroups(groups), .. } = &settings.kind
            && !groups.is_sorted()
        {
            return wrong(
                "the groups that it parks are not sorted".to_owned(),
                "sort them by the bytes of their names",
            );
        }
        for (what, value, max) in [
            ("visibility", settings.visibility_ms, VISIBILITY_MS_MAX),
            ("delay", settings.delay_ms, DELAY_MS_MAX),
            ("retention", settings.retention_ms, RETENTION_MS_MAX),
        ] {
            if value > max {
                return wrong(format!("its {what} is {value} ms, more than {max}"), "make it shorter");
            }
        }
        let Some(redrive) = &settings.redrive else { continue };
        let Some(dead) = all.iter().find(|other| other.name == redrive.to) else {
            return wrong(format!("its dead-letter queue `{}` is not declared", redrive.to), "declare it too");
        };
        if dead.is_fifo() != settings.is_fifo() || dead.redrive.is_some() || redrive.receives_max == 0 {
            let what = format!("`{}` cannot be its dead-letter queue", redrive.to);
            return wrong(what, "take a queue of the same kind without redrive, and at least one receive");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_that_make_no_sense_are_refused() {
        let good = Settings::fifo("a").redrive("dead", 3);
        let dead = good.dead_letters("dead");
        assert!(check(&[good.clone(), dead.clone()]).is_ok());
        let long = Settings { retention_ms: RETENTION_MS_MAX + 1, ..dead.clone() };
        let on_dead = OnDead::ParkGroups(vec!["b".to_owned(), "a".to_owned()]);
        let unsorted = Settings::new("q", Kind::Fifo { by_content: true, on_dead });
        for bad in [
            vec![unsorted],
            vec![good.clone()],
            vec![good.clone(), Settings::standard("dead")],
            vec![good.clone(), dead.clone().redrive("a", 3)],
            vec![good.clone(), dead.clone(), dead.clone()],
            vec![good.clone().redrive("dead", 0), dead.clone()],
            vec![Settings::standard("")],
            vec![Settings::standard("x".repeat(129))],
            vec![long],
        ] {
            assert!(matches!(check(&bad), Err(Error::Invalid { .. })), "{bad:?}");
        }
    }
}
