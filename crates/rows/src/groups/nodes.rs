//! Groups and what they are of, side by side: who looks at one needs the other.

use super::Key;

/// A group. It starts where a line of the cache does, so that it lies in as few of them as can be.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Node<P> {
    pub key: Key,
    pub group: P,
}

/// Groups by position. They stay where they are however many there will be: they are many, and to move them all
/// whenever there is no more room costs time and, for that moment, twice the memory.
#[derive(Debug)]
pub(super) struct Nodes<P> {
    chunks: Vec<Vec<Node<P>>>,
    len: usize,
}

const CHUNK_BITS: u32 = 12;
/// Groups in a chunk.
const CHUNK: usize = 1 << CHUNK_BITS;

impl<P> Nodes<P> {
    pub const fn new() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    pub fn at(&self, position: u32) -> &Node<P> {
        &self.chunks[(position >> CHUNK_BITS) as usize][position as usize % CHUNK]
    }

    #[inline(always)]
    pub fn at_mut(&mut self, position: u32) -> &mut Node<P> {
        &mut self.chunks[(position >> CHUNK_BITS) as usize][position as usize % CHUNK]
    }

    pub fn push(&mut self, node: Node<P>) {
        let chunk = self.len / CHUNK;
        if chunk == self.chunks.len() {
            // Most tables are small: the first chunk grows.
            self.chunks.push(if chunk == 0 { Vec::new() } else { Vec::with_capacity(CHUNK) });
        }
        self.chunks[chunk].push(node);
        self.len += 1;
    }

    /// Forgets the groups, keeps the memory.
    pub fn clear(&mut self) {
        self.chunks.iter_mut().for_each(Vec::clear);
        self.len = 0;
    }

    pub fn iter(&self) -> impl Iterator<Item = &Node<P>> {
        self.chunks.iter().flatten()
    }
}
