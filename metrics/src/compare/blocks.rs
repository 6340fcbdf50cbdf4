//! A request's latencies in blocks of time.

use crate::SparseHistogram;
use crate::latencies::Latencies as _;

/// More blocks than this are joined: they say little more, and cost more.
const MOST: usize = 40;

/// Fewer blocks than this say nothing of how blocks vary.
const FEWEST: usize = 8;

/// Blocks in order of time, and all of them together.
pub(super) struct Blocks {
    pub(super) blocks: Vec<Block>,
    pub(super) total: SparseHistogram,
}

/// The filled slots of a block with their counts, in rising order.
pub(super) struct Block {
    pub(super) slots: Vec<(usize, u64)>,
    pub(super) count: u64,
}

impl Blocks {
    pub(super) fn new(parts: &[SparseHistogram]) -> Blocks {
        let joined = parts.len().div_ceil(MOST).max(1);
        let mut total = SparseHistogram::new();
        let blocks = parts.chunks(joined).map(|parts| {
            let mut block = SparseHistogram::new();
            for part in parts {
                block.merge(part);
            }
            total.merge(&block);
            Block { slots: block.filled().collect(), count: block.count() }
        });
        let blocks = blocks.collect();
        Blocks { blocks, total }
    }

    /// How many blocks have samples, if these are enough.
    pub(super) fn usable(&self) -> Option<usize> {
        let filled = self.blocks.iter().filter(|block| block.count > 0).count();
        (filled >= FEWEST).then_some(filled)
    }

    /// The variance of `sum of scores / samples`, estimated from how the blocks' sums differ from what their sizes let expect:
    /// that of a ratio. `mean` is the ratio over all blocks.
    pub(super) fn variance(&self, mean: f64, score: impl Fn(&Block) -> f64) -> f64 {
        let filled = self.blocks.iter().filter(|block| block.count > 0);
        let (mut squares, mut blocks) = (0.0, 0.0);
        for block in filled {
            squares += (score(block) - mean * block.count as f64).powi(2);
            blocks += 1.0;
        }
        let samples = self.total.count() as f64;
        squares * blocks / ((blocks - 1.0_f64).max(1.0) * samples * samples)
    }
}

impl Block {
    /// How many samples are in slots above `slot`.
    pub(super) fn above(&self, slot: usize) -> u64 {
        let from = self.slots.partition_point(|(own, _)| *own <= slot);
        self.slots[from..].iter().map(|(_, count)| count).sum()
    }
}
