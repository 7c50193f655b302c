//! Which values of a record are wanted: paths, and the tree of them that a reader walks along with the record.

use super::plan::Wanted;
use super::walk::EACH;

/// Where a value is: `price`, `data.price_str`, `message.0.price`, `4`.
///
/// The parts between dots are keys of objects or places in arrays (from 0). A key of the item itself that has
/// the dots in its name wins over the split path: in `{"a.b": 1, "a": {"b": 2}}`, `a.b` is 1, whatever the order.
/// A path that begins with `$.` starts at the whole record, any other at the item (they differ with `Extract::each`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    is_rooted: bool,
    text: String,
}

impl Path {
    /// Reads a path as a contract writes it. Every text is one; the empty text is the empty key.
    pub fn parse(text: &str) -> Self {
        match text.strip_prefix("$.") {
            Some(rest) => Self { is_rooted: true, text: rest.to_owned() },
            None => Self { is_rooted: false, text: text.to_owned() },
        }
    }

    pub(super) fn is_rooted(&self) -> bool {
        self.is_rooted
    }
}

/// The paths a reader looks for; the value of the n-th path goes to slot n.
#[derive(Debug, Clone)]
pub struct Paths {
    pub(super) slots: usize,
    pub(super) tree: Tree,
}

impl Paths {
    /// Compiles paths for records that are the items themselves, where `$.` says nothing new.
    pub fn new(paths: &[Path]) -> Self {
        let mut tree = Tree::default();
        for (slot, path) in paths.iter().enumerate() {
            tree.insert(path, slot as u32);
        }
        Self { slots: paths.len(), tree }
    }
}

/// Index of a node of a `Tree`.
pub(super) type NodeId = u32;

/// The paths by their common beginnings.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    /// The slots that want the value here.
    pub(super) slots: Vec<u32>,
    /// The value is written after all others, because it wins over them.
    pub(super) is_last: bool,
    /// Sorted.
    keys: Vec<(Box<[u8]>, NodeId)>,
    /// Sorted.
    pub(super) places: Vec<(usize, NodeId)>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl Tree {
    pub(super) const ROOT: NodeId = 0;

    /// Wants the value at `path` in `slot`.
    pub(super) fn insert(&mut self, path: &Path, slot: u32) {
        let mut id = Self::ROOT;
        for part in path.text.split('.') {
            id = self.child_or_new(id, part);
        }
        self.nodes[id as usize].slots.push(slot);
        if path.text.contains('.') {
            let whole = self.child_or_new(Self::ROOT, &path.text);
            self.nodes[whole as usize].is_last = true;
            self.nodes[whole as usize].slots.push(slot);
        }
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    /// Where `key` of an object leads to.
    #[inline]
    pub(super) fn child(&self, id: NodeId, key: &[u8]) -> Option<NodeId> {
        let keys = &self.nodes[id as usize].keys;
        let found = keys.binary_search_by(|(name, _)| (**name).cmp(key)).ok()?;
        Some(keys[found].1)
    }

    /// What to do with the value at a node, as a plan remembers it.
    pub(super) fn wanted(&self, id: Option<NodeId>) -> Wanted {
        let Some(id) = id else { return Wanted::Nothing };
        let node = self.node(id);
        match *node.slots {
            [slot] if slot != EACH && node.keys.is_empty() && !node.is_last => Wanted::Slot(slot),
            _ => Wanted::Node(id),
        }
    }

    fn child_or_new(&mut self, id: NodeId, part: &str) -> NodeId {
        if let Some(child) = self.child(id, part.as_bytes()) {
            return child;
        }
        let child = self.nodes.len() as NodeId;
        self.nodes.push(Node::default());
        let node = &mut self.nodes[id as usize];
        let position = node.keys.partition_point(|(name, _)| **name < *part.as_bytes());
        node.keys.insert(position, (part.as_bytes().into(), child));
        if let Some(place) = place(part) {
            let position = node.places.partition_point(|(other, _)| *other < place);
            node.places.insert(position, (place, child));
        }
        child
    }
}

/// The place in an array that a part means: plain digits, no leading zero.
fn place(part: &str) -> Option<usize> {
    let is_plain = part.bytes().all(|byte| byte.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
    if is_plain { part.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_share_their_beginnings() {
        let paths = ["data.price", "data.size", "id", "$.data.price"].map(Path::parse);
        assert!(paths[3].is_rooted() && !paths[0].is_rooted());
        let tree = Paths::new(&paths).tree;
        let data = tree.child(Tree::ROOT, b"data").unwrap();
        assert_eq!(tree.node(tree.child(data, b"price").unwrap()).slots, [0, 3]);
        assert_eq!(tree.node(tree.child(data, b"size").unwrap()).slots, [1]);
        assert_eq!(tree.node(tree.child(Tree::ROOT, b"id").unwrap()).slots, [2]);
        assert!(tree.node(tree.child(Tree::ROOT, b"data.price").unwrap()).is_last);
        assert_eq!(tree.child(Tree::ROOT, b"price"), None);
    }

    #[test]
    fn places_are_plain_numbers() {
        assert_eq!(place("0"), Some(0));
        assert_eq!(place("12"), Some(12));
        for no_place in ["", "00", "01", "-1", "+1", "1a", "99999999999999999999999"] {
            assert_eq!(place(no_place), None, "{no_place}");
        }
    }
}
