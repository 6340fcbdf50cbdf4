//! "Did you mean": which known word a wrong one was meant to be.

use crate::diagnostic::shown;

/// Longer words are not compared: the cost grows with the product of the lengths.
const MAX_CHARS: usize = 100;
/// Candidates beyond these are not looked at.
const MAX_CANDIDATES: usize = 1000;

/// The candidates closest to `word`, best first, at most three; none when nothing is close.
///
/// Close is a Damerau-Levenshtein distance of 1, or of up to a third of the longer
/// word's length; case, `-` and `_` make no difference.
pub(super) fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let word = plain(word);
    let length = word.chars().count();
    if length == 0 || length > MAX_CHARS {
        return Vec::new();
    }
    let mut best = (usize::MAX, Vec::new());
    for candidate in candidates.into_iter().take(MAX_CANDIDATES) {
        let other = plain(candidate);
        let other_length = other.chars().count();
        let longer = length.max(other_length);
        let limit = (longer / 3).max(1).min(best.0);
        if longer > MAX_CHARS || length.abs_diff(other_length) > limit {
            continue;
        }
        let distance = strsim::damerau_levenshtein(&word, &other);
        if distance > limit || distance >= longer {
            continue;
        }
        if distance < best.0 {
            best = (distance, Vec::new());
        }
        if !best.1.iter().any(|&(_, c)| c == candidate) {
            best.1.push((strsim::jaro_winkler(&word, &other), candidate));
        }
    }
    best.1.sort_by(|a, b| b.0.total_cmp(&a.0));
    best.1.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

/// ``did you mean `a` or `b`?``, or else a list of what there is.
pub(super) fn remedy<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    otherwise: &str,
) -> String {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let close = closest(word, candidates.iter().copied());
    if !close.is_empty() {
        did_you_mean(&close)
    } else if candidates.is_empty() {
        otherwise.to_owned()
    } else {
        format!("{otherwise}: {}", list(candidates))
    }
}

/// ``did you mean `a` or `b`?``
pub(super) fn did_you_mean(close: &[&str]) -> String {
    let shown: Vec<String> = close.iter().map(|c| shown(c)).collect();
    format!("did you mean {}?", shown.join(" or "))
}

/// `` `a`, `b`, `c` ``, cut short when there are many.
pub(super) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    const MAX: usize = 40;
    let mut words: Vec<String> = words.into_iter().map(shown).collect();
    if words.len() > MAX {
        words.truncate(MAX);
        words.push("…".into());
    }
    words.join(", ")
}
