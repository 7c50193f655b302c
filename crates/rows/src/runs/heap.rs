//! The one operation a merge asks of its heap. The standard heap would have to own the keys, which lie in buffers.

/// Moves what stands at `place` down until nothing below comes `before` it.
pub(crate) fn sift_down(heap: &mut [usize], mut place: usize, before: impl Fn(usize, usize) -> bool) {
    loop {
        let mut least = place;
        for child in [2 * place + 1, 2 * place + 2] {
            if child < heap.len() && before(heap[child], heap[least]) {
                least = child;
            }
        }
        if least == place {
            return;
        }
        heap.swap(place, least);
        place = least;
    }
}
