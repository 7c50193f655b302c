//! The rules of the queues, written down as plainly as possible: what SQS promises, and the choices it leaves open.
//! Slow and simple on purpose; `model.rs` holds the engine against it.

use engine::queues::Millis;

const FIVE_MINUTES: Millis = 5 * 60 * 1000;

/// Queues, and a clock that moves only forward. Messages are known by the order in which they were sent.
pub(crate) struct Rules {
    pub(crate) now: Millis,
    pub(crate) queues: Vec<Queue>,
    /// Accepted sends to FIFO queues: queue, id or content, when, which message.
    sends: Vec<(usize, String, Millis, usize)>,
    messages_sent: usize,
    leases_given: usize,
}

/// One queue.
pub(crate) struct Queue {
    pub(crate) is_fifo: bool,
    /// The groups that wait for their dead letters.
    pub(crate) parking: &'static [&'static str],
    pub(crate) delay: Millis,
    pub(crate) retention: Millis,
    /// The dead-letter queue, and how often a message is received before it goes there.
    pub(crate) redrive: Option<(usize, u32)>,
    /// In the order they were sent.
    pub(crate) messages: Vec<Message>,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stand {
    Waiting,
    /// Delayed until then.
    Delayed(Millis),
    /// In flight until then.
    InFlight(Millis),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: usize,
    pub(crate) body: String,
    pub(crate) group: String,
    pub(crate) stand: Stand,
    pub(crate) sent_at: Millis,
    /// When it came into this queue; retention counts from here.
    pub(crate) entered_at: Millis,
    pub(crate) receives: u32,
    pub(crate) attempts: Vec<Millis>,
    pub(crate) notes: Vec<String>,
    /// The last lease: good until the message is received again.
    pub(crate) lease: Option<usize>,
    /// The queue it died in.
    pub(crate) origin: Option<usize>,
}

impl Rules {
    pub(crate) fn new(now: Millis, queues: Vec<Queue>) -> Self {
        Self { now, queues, sends: Vec::new(), messages_sent: 0, leases_given: 0 }
    }

    /// Time passes: what is due happens, the earliest first, each at its own time.
    pub(crate) fn pass(&mut self, to: Millis) {
        self.now = self.now.max(to);
        loop {
            let mut next: Option<(Millis, usize, usize)> = None;
            for (number, queue) in self.queues.iter().enumerate() {
                for message in &queue.messages {
                    let at = match message.stand {
                        Stand::Waiting => message.entered_at + queue.retention,
                        Stand::Delayed(until) | Stand::InFlight(until) => until,
                    };
                    if at <= self.now && next.is_none_or(|next| (at, number, message.id) < next) {
                        next = Some((at, number, message.id));
                    }
                }
            }
            let Some((at, queue, id)) = next else { return };
            match self.message(queue, id).map(|message| message.stand) {
                // A message that nobody wanted for too long expires; one in flight gets its chance first.
                Some(Stand::Waiting) => self.remove(queue, id),
                Some(Stand::Delayed(_)) => self.edit(queue, id).stand = Stand::Waiting,
                Some(Stand::InFlight(_)) => self.come_back(queue, id, at),
                None => unreachable!("it was found above"),
            }
        }
    }

    /// A FIFO queue knows a send by its id, or else its content, for five minutes, whatever became of the message.
    /// Gives the message, and whether it was a duplicate.
    pub(crate) fn send(
        &mut self,
        queue: usize,
        body: &str,
        group: &str,
        id: Option<&str>,
        delay: Option<Millis>,
    ) -> (usize, bool) {
        let known_as = id.map_or(format!("content {body}"), |id| format!("id {id}"));
        if self.queues[queue].is_fifo {
            for (other, name, at, first) in &self.sends {
                if *other == queue && *name == known_as && self.now < at + FIVE_MINUTES {
                    return (*first, true);
                }
            }
            self.sends.push((queue, known_as, self.now, self.messages_sent));
        }
        let delay = delay.unwrap_or(self.queues[queue].delay);
        let message = Message {
            id: self.messages_sent,
            body: body.to_owned(),
            group: group.to_owned(),
            stand: if delay == 0 { Stand::Waiting } else { Stand::Delayed(self.now + delay) },
            sent_at: self.now,
            entered_at: self.now,
            receives: 0,
            attempts: Vec::new(),
            notes: Vec::new(),
            lease: None,
            origin: None,
        };
        self.messages_sent += 1;
        self.queues[queue].messages.push(message);
        (self.messages_sent - 1, false)
    }

    /// A standard queue gives the oldest that wait. A FIFO queue goes through its groups, that whose first message is
    /// oldest first, and gives as many of each as there is room for, in order; a group with a message in flight or
    /// waiting for a dead letter gives none. Gives leases with their messages.
    pub(crate) fn receive(&mut self, queue: usize, most: usize, visibility: Millis) -> Vec<(usize, Message)> {
        let mut chosen: Vec<usize> = Vec::new();
        let messages = &self.queues[queue].messages;
        if self.queues[queue].is_fifo {
            let mut groups: Vec<&str> = Vec::new();
            for message in messages {
                if !groups.contains(&message.group.as_str()) {
                    groups.push(&message.group);
                }
            }
            groups.retain(|group| !self.is_blocked(queue, group));
            for group in groups {
                let of_group = messages.iter().filter(|message| message.group == group);
                let ready = of_group.take_while(|message| message.stand == Stand::Waiting);
                chosen.extend(ready.map(|message| message.id));
            }
        } else {
            let ready = messages.iter().filter(|message| message.stand == Stand::Waiting);
            chosen.extend(ready.map(|message| message.id));
        }
        chosen.truncate(most);
        let mut received = Vec::new();
        for id in chosen {
            let (lease, now) = (self.leases_given, self.now);
            self.leases_given += 1;
            let message = self.edit(queue, id);
            message.stand = Stand::InFlight(now + visibility);
            message.lease = Some(lease);
            message.receives += 1;
            message.attempts.push(now);
            received.push((lease, message.clone()));
        }
        received
    }

    fn is_blocked(&self, queue: usize, group: &str) -> bool {
        let mine = self.queues[queue].messages.iter().filter(|message| message.group == group);
        let in_flight = mine.filter(|message| matches!(message.stand, Stand::InFlight(_))).count();
        in_flight > 0 || self.parked_for(queue, group).is_some()
    }

    /// The dead letter that a group waits for.
    pub(crate) fn parked_for(&self, queue: usize, group: &str) -> Option<usize> {
        let (dead, _) = self.queues[queue].redrive.filter(|_| self.queues[queue].parking.contains(&group))?;
        let mut letters = self.queues[dead].messages.iter();
        letters.find(|letter| letter.origin == Some(queue) && letter.group == group).map(|letter| letter.id)
    }

    /// The message that a lease is still good for.
    pub(crate) fn held(&self, lease: usize) -> Option<(usize, usize)> {
        for (number, queue) in self.queues.iter().enumerate() {
            if let Some(message) = queue.messages.iter().find(|message| message.lease == Some(lease)) {
                return Some((number, message.id));
            }
        }
        None
    }

    /// False when the lease is lost.
    pub(crate) fn acknowledge(&mut self, lease: usize) -> bool {
        let Some((queue, id)) = self.held(lease) else { return false };
        self.remove(queue, id);
        true
    }

    /// Holds a message for so long from now; not at all gives it back. Only while it is in flight.
    pub(crate) fn hold(&mut self, lease: usize, visibility: Millis, note: Option<&str>) -> bool {
        let Some((queue, id)) = self.held(lease) else { return false };
        let now = self.now;
        let message = self.edit(queue, id);
        if !matches!(message.stand, Stand::InFlight(_)) {
            return false;
        }
        message.notes.extend(note.map(str::to_owned));
        message.stand = Stand::InFlight(now + visibility);
        if visibility == 0 {
            self.come_back(queue, id, now);
        }
        true
    }

    /// A lease ended without an acknowledgement: the message waits again, or is dead after its last receive.
    fn come_back(&mut self, queue: usize, id: usize, at: Millis) {
        let redrive = self.queues[queue].redrive;
        let message = self.edit(queue, id);
        message.stand = Stand::Waiting;
        match redrive {
            Some((dead, most)) if message.receives >= most => {
                let mut letter = message.clone();
                self.remove(queue, id);
                letter.origin = Some(queue);
                letter.entered_at = at;
                letter.receives = 0;
                letter.lease = None;
                self.insert(dead, letter);
            }
            _ => {}
        }
    }

    /// Sends dead letters that nobody has back to where they came from and stood; all of them, or one. Says how many.
    pub(crate) fn redrive(&mut self, dead: usize, only: Option<usize>) -> usize {
        let letters: Vec<Message> = self.queues[dead].messages.clone();
        let mut redriven = 0;
        for mut letter in letters {
            let Some(origin) = letter.origin else { continue };
            if matches!(letter.stand, Stand::InFlight(_)) || only.is_some_and(|only| only != letter.id) {
                continue;
            }
            self.remove(dead, letter.id);
            letter.origin = None;
            letter.entered_at = self.now;
            letter.receives = 0;
            letter.lease = None;
            letter.stand = Stand::Waiting;
            self.insert(origin, letter);
            redriven += 1;
        }
        redriven
    }

    /// Deletes all messages, in flight or not. Says how many.
    pub(crate) fn purge(&mut self, queue: usize) -> usize {
        std::mem::take(&mut self.queues[queue].messages).len()
    }

    /// Deletes one message that nobody has.
    pub(crate) fn purge_one(&mut self, queue: usize, id: usize) -> bool {
        let is_there = self.message(queue, id).is_some_and(|message| !matches!(message.stand, Stand::InFlight(_)));
        if is_there {
            self.remove(queue, id);
        }
        is_there
    }

    fn message(&self, queue: usize, id: usize) -> Option<&Message> {
        self.queues[queue].messages.iter().find(|message| message.id == id)
    }

    fn edit(&mut self, queue: usize, id: usize) -> &mut Message {
        self.queues[queue].messages.iter_mut().find(|message| message.id == id).expect("the caller found it")
    }

    fn remove(&mut self, queue: usize, id: usize) {
        self.queues[queue].messages.retain(|message| message.id != id);
    }

    fn insert(&mut self, queue: usize, message: Message) {
        let messages = &mut self.queues[queue].messages;
        let place = messages.iter().position(|other| other.id > message.id).unwrap_or(messages.len());
        messages.insert(place, message);
    }
}
