//! Many contributions read as one: for every key what the parts that have it come to, in the order of the parts.

use std::ops::ControlFlow;

use super::filter::{Filter, Verdict, Wanted};
use super::read::{Reader, damaged};
use super::{Key, Value};
use crate::contract::Kind;
use crate::currency::Currency;
use crate::groups::{BarGroup, GroupOf, Partial, TotalGroup, decode_key, encode_bucket, sum_out_of_range};
use crate::row::Status;
use crate::runs::heap::sift_down;
use crate::time::{Buckets, Interval, rfc3339};
use crate::{Error, Refusal, Result};

/// One of the contributions that are merged.
#[derive(Debug)]
pub struct Part {
    /// The contribution.
    pub reader: Reader,
    /// Whether it is added up; otherwise it is only told that it has a key.
    pub counts: bool,
}

/// Merges contributions in the order given, which is that of their files and decides between rows of equal time. `each`
/// gets every key that `filter` wants once, in ascending order, with what the parts that count come to (None when none
/// of those has it) and the indices of all parts that have it, until it breaks off.
///
/// With `interval`, bars are rolled up to this length, by the zone of their contribution: the same bars as if rows had
/// been folded to this length at once. What `filter` says of starts is then meant of the longer bars.
///
/// Takes memory for the footer and one block of each part.
pub fn merge(
    parts: Vec<Part>,
    interval: Option<Interval>,
    filter: &Filter,
    each: impl FnMut(Key<'_>, Option<Value<'_>>, &[usize]) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let is_total = |part: &Part| part.reader.summary().kind == Kind::Transactions;
    let Some(totals) = parts.first().map(is_total) else { return Ok(()) };
    if parts.iter().any(|part| is_total(part) != totals) {
        let message = "bars and totals do not add up";
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, message).into());
    }
    let wanted = filter.wanted(totals);
    if totals {
        let streams = parts.into_iter().map(|part| Stream { part, roll: None });
        return merge_streams::<TotalGroup>(streams.collect(), &wanted, each);
    }
    let base = parts.first().and_then(|part| part.reader.interval());
    let mut streams = Vec::with_capacity(parts.len());
    for part in parts {
        let own = part.reader.interval();
        let roll = match interval {
            Some(longer) if own.is_some_and(|own| own < longer) => Some(Roll::new(longer, &part.reader)),
            Some(same) if own == Some(same) => None,
            Some(shorter) => return Err(cannot_roll(own, shorter).into()),
            None if own == base => None,
            None => return Err(mixed_intervals(own, base).into()),
        };
        streams.push(Stream { part, roll });
    }
    merge_streams::<BarGroup>(streams, &wanted, each)
}

fn cannot_roll(own: Option<Interval>, shorter: Interval) -> Refusal {
    let own = own.map_or("no", Interval::name);
    let message = format!("bars of {own} cannot be made into bars of {shorter}");
    Refusal::new("interval_too_short", message, format!("ask for {own} or longer"))
}

fn mixed_intervals(own: Option<Interval>, base: Option<Interval>) -> Refusal {
    let (own, base) = (own.map_or("no", Interval::name), base.map_or("no", Interval::name));
    let message = format!("some bars are of {base} and some of {own}");
    Refusal::new("mixed_intervals", message, "ask for an interval that is as long as the longest of them")
}

/// One part being read.
struct Stream {
    part: Part,
    roll: Option<Roll>,
}

/// Makes longer bars of shorter ones.
struct Roll {
    buckets: Buckets,
    /// The key of the longer bar.
    key: Vec<u8>,
    start: i64,
}

impl Roll {
    fn new(interval: Interval, reader: &Reader) -> Self {
        Self { buckets: Buckets::new(interval, reader.zone().clone()), key: Vec::new(), start: 0 }
    }
}

impl Stream {
    fn key(&self) -> &[u8] {
        match &self.roll {
            None => self.part.reader.key(),
            Some(roll) => &roll.key,
        }
    }

    /// Goes to the first entry that is wanted.
    fn begin(&mut self, wanted: &Wanted) -> Result<bool> {
        let Some(first) = wanted.first() else { return Ok(false) };
        let found = self.part.reader.seek(&first)?;
        self.find(found, wanted)
    }

    /// Goes to the next one.
    fn advance(&mut self, wanted: &Wanted) -> Result<bool> {
        let found = self.part.reader.advance()?;
        self.find(found, wanted)
    }

    fn find(&mut self, mut found: bool, wanted: &Wanted) -> Result<bool> {
        let reader = &mut self.part.reader;
        while found {
            let of = reader.group()?;
            let start = match &mut self.roll {
                None => of.bucket,
                Some(roll) => roll.buckets.start_of(of.bucket),
            };
            match wanted.judge(of, start) {
                Verdict::Take => {
                    if let Some(roll) = &mut self.roll {
                        roll.take(reader.key(), start);
                    }
                    return Ok(true);
                }
                Verdict::Step => found = reader.advance()?,
                Verdict::Seek(key) => found = reader.seek(&key)?,
                Verdict::End => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Adds the partial that was reached to `sum`, if it counts. Of what is made into a longer bar it is seen in any case
    /// that it can be.
    fn add_to<P: Together>(&mut self, sum: &mut Option<P>) -> Result<()> {
        if !self.part.counts && self.roll.is_none() {
            return Ok(());
        }
        let partial =
            P::decode(self.part.reader.value()).ok_or_else(|| damaged("has a partial that makes no sense"))?;
        if let (Some(roll), Some(span)) = (&mut self.roll, partial.span()) {
            roll.holds(span)?;
        }
        if !self.part.counts {
            return Ok(());
        }
        match sum {
            None => *sum = Some(partial),
            Some(sum) => {
                if !sum.merge(&partial) {
                    return Err(sum_out_of_range());
                }
            }
        }
        Ok(())
    }
}

impl Roll {
    fn take(&mut self, key: &[u8], start: i64) {
        self.start = start;
        self.key.clear();
        self.key.extend_from_slice(&key[..key.len() - 8]);
        self.key.extend_from_slice(&encode_bucket(start));
    }

    /// A clock that was set within a minute, as some were before 1972, may have cut a short bar in two.
    fn holds(&mut self, (first, last): (i64, i64)) -> Result<()> {
        if self.buckets.start_of(first) == self.start && self.buckets.start_of(last) == self.start {
            return Ok(());
        }
        let (interval, at) = (self.buckets.interval(), rfc3339(first));
        let message = format!("a bar of {interval} begins or ends within the shorter bar of {at}");
        Err(Refusal::new("interval_not_aligned", message, "ask for a shorter interval").into())
    }
}

/// What is added up, as it is given out.
trait Together: Partial {
    fn value(&self) -> Value<'_>;
    /// The times of its first and its last row, where they say something.
    fn span(&self) -> Option<(i64, i64)>;
    fn key(of: GroupOf<'_>) -> Option<Key<'_>>;
}

impl Together for BarGroup {
    fn value(&self) -> Value<'_> {
        Value::Bar(self)
    }

    fn span(&self) -> Option<(i64, i64)> {
        Some(BarGroup::span(self))
    }

    fn key(GroupOf { prefix, name, bucket }: GroupOf<'_>) -> Option<Key<'_>> {
        Some(Key::Bar { traded: prefix == 1, symbol: name, start: bucket })
    }
}

impl Together for TotalGroup {
    fn value(&self) -> Value<'_> {
        Value::Total(self)
    }

    fn span(&self) -> Option<(i64, i64)> {
        None
    }

    fn key(GroupOf { prefix, name, bucket }: GroupOf<'_>) -> Option<Key<'_>> {
        let currency = Currency::by_index(usize::from(prefix >> 2))?.code();
        let status = Status::ALL.get(usize::from(prefix & 3))?.name();
        Some(Key::Total { currency, status, merchant: name, day: i32::try_from(bucket).ok()? })
    }
}

/// Streams that have something left, as a heap: the smallest key first, of equal keys the part that comes first.
struct Heads<'w> {
    streams: Vec<Stream>,
    heap: Vec<usize>,
    wanted: &'w Wanted,
}

fn merge_streams<P: Together>(
    streams: Vec<Stream>,
    wanted: &Wanted,
    mut each: impl FnMut(Key<'_>, Option<Value<'_>>, &[usize]) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let mut heads = Heads::new(streams, wanted)?;
    let (mut key, mut having) = (Vec::new(), Vec::new());
    while let Some(&first) = heads.heap.first() {
        key.clear();
        key.extend_from_slice(heads.streams[first].key());
        having.clear();
        let mut sum: Option<P> = None;
        while let Some(&part) = heads.heap.first().filter(|part| heads.streams[**part].key() == key) {
            if having.last() != Some(&part) {
                having.push(part);
            }
            heads.streams[part].add_to(&mut sum)?;
            heads.advance(part)?;
        }
        let told = decode_key(&key).and_then(P::key);
        let told = told.ok_or_else(|| Error::Io(damaged("has a key that makes no sense")))?;
        if each(told, sum.as_ref().map(P::value), &having)?.is_break() {
            return Ok(());
        }
    }
    Ok(())
}

impl<'w> Heads<'w> {
    fn new(mut streams: Vec<Stream>, wanted: &'w Wanted) -> Result<Self> {
        let mut heap = Vec::with_capacity(streams.len());
        for (part, stream) in streams.iter_mut().enumerate() {
            if stream.begin(wanted)? {
                heap.push(part);
            }
        }
        let mut heads = Heads { streams, heap, wanted };
        for place in (0..heads.heap.len() / 2).rev() {
            heads.sift_down(place);
        }
        Ok(heads)
    }

    /// Goes on in the part that stands first.
    fn advance(&mut self, first: usize) -> Result<()> {
        if !self.streams[first].advance(self.wanted)? {
            self.heap.swap_remove(0);
        }
        self.sift_down(0);
        Ok(())
    }

    fn sift_down(&mut self, place: usize) {
        let Self { streams, heap, .. } = self;
        sift_down(heap, place, |left, right| (streams[left].key(), left) < (streams[right].key(), right));
    }
}
