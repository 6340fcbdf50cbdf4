//! What the kernel says of memory: how much there may be, and how much of it is taken.
//!
//! Pure: text in, numbers out, and `None` for what the text does not say.

use super::processor::number;

/// Limits from here on are none: version 1 says "no limit" as the largest number of whole pages.
const NO_LIMIT: u64 = 1 << 60;

/// Memory of a group or of the machine, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) used: u64,
    pub(super) limit: u64,
}

impl Memory {
    /// Of a group of either version: its limit, what it uses, and `memory.stat`, which says how much of that are files
    /// that nobody has used lately: the kernel takes them back before it kills anything. `None` without a limit.
    pub(super) fn of_group(limit: &str, used: &str, stat: &str) -> Option<Memory> {
        let limit = limit.trim().parse().ok().filter(|limit| (1..NO_LIMIT).contains(limit))?;
        let used: u64 = used.trim().parse().ok()?;
        let files =
            number(stat, "total_inactive_file").or_else(|| number(stat, "inactive_file")).unwrap_or(0);
        Some(Memory { used: used.saturating_sub(files), limit })
    }

    /// Of the machine, from `/proc/meminfo`.
    pub(super) fn of_machine(meminfo: &str) -> Option<Memory> {
        let bytes = |name| number(&meminfo.replace(':', " "), name)?.checked_mul(1024);
        let (limit, available) = (bytes("MemTotal")?, bytes("MemAvailable")?);
        Some(Memory { used: limit.checked_sub(available)?, limit }).filter(|memory| memory.limit > 0)
    }

    /// The share that is taken, in thousandths.
    pub(super) fn used_permille(self) -> u128 {
        u128::from(self.used) * 1000 / u128::from(self.limit.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn groups_of_both_versions() {
        let check = |limit: &str, used: &str, stat: &str, expected: Option<(u64, u64)>| {
            let expected = expected.map(|(used, limit)| Memory { used, limit });
            assert_eq!(Memory::of_group(limit, used, stat), expected, "{limit} {used} {stat}");
        };
        check("1000\n", "600\n", "anon 300\ninactive_file 100\n", Some((500, 1000)));
        check("1000", "600", "inactive_file 7\ntotal_inactive_file 200\n", Some((400, 1000)));
        check("1000", "600", "", Some((600, 1000)));
        check("1000", "600", "inactive_file 9999\n", Some((0, 1000)));
        check("max\n", "600\n", "", None);
        check("9223372036854771712", "600", "", None);
        for garbage in ["", "0", "-1", "x", "1e9"] {
            check(garbage, "600", "", None);
        }
        check("1000", "", "", None);
    }

    #[test]
    fn the_whole_machine() {
        let check = |text: &str, expected: Option<(u64, u64)>| {
            let expected = expected.map(|(used, limit)| Memory { used, limit });
            assert_eq!(Memory::of_machine(text), expected, "{text}");
        };
        let text = "MemTotal:       100 kB\nMemFree:         10 kB\nMemAvailable:    40 kB\n";
        check(text, Some((60 * 1024, 100 * 1024)));
        check("MemTotal: 100 kB\n", None);
        check("MemTotal: 1 kB\nMemAvailable: 2 kB\n", None);
        check("MemTotal: 18446744073709551615 kB\nMemAvailable: 1 kB\n", None);
        check("", None);
    }

    proptest! {
        #[test]
        fn any_text_is_fine(a: String, b: String, used: u64, limit: u64) {
            Memory::of_group(&a, &b, &a);
            Memory::of_machine(&format!("MemTotal: {a}\nMemAvailable: {b}"));
            Memory { used, limit }.used_permille();
        }
    }
}
