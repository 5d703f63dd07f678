//! Bytes that came: the first of them are kept, all of them are counted.

/// More than this of one stream, or of all streams of a run together, is not kept.
const KEPT: usize = 8 << 20;

/// What came.
#[derive(Default)]
pub(crate) struct Received {
    kept: Vec<u8>,
    total: usize,
}

impl Received {
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(&bytes[..bytes.len().min(KEPT - self.kept.len())]);
        self.total += bytes.len();
    }

    /// The first bytes.
    pub(crate) fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// The same, out of here.
    pub(crate) fn into_kept(self) -> Vec<u8> {
        self.kept
    }

    /// How many came.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// All of them, if all are kept.
    pub(crate) fn whole(&self) -> Option<&[u8]> {
        (self.total == self.kept.len()).then_some(&self.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_is_counted() {
        let mut received = Received::default();
        received.take(&[1; KEPT - 1]);
        assert!(received.whole().is_some());
        received.take(&[2; 3]);
        assert_eq!((received.total(), received.kept().len(), received.whole()), (KEPT + 2, KEPT, None));
    }
}
