//! What both runs cost, in a line.

use super::findings::signed_percent;
use crate::report::model::{ComparedCost, ComparisonPart, Money};

/// `cost: 0.0123 -> 0.0145 USD, per million requests 0.48 -> 0.56 USD (+16.7 %)`; nothing where neither run has a price. It judges
/// nothing: a run costs what it lasts.
pub(crate) fn cost_line(comparison: &ComparisonPart) -> Option<String> {
    let (base, current) = (&comparison.base.cost, &comparison.current.cost);
    if base.is_none() && current.is_none() {
        return None;
    }
    let total = both(base.as_ref(), current.as_ref(), |cost| Some(cost.total));
    let each = both(base.as_ref(), current.as_ref(), |cost| cost.per_million_requests);
    Some(format!("cost: {total}, per million requests {each}{}", change(base.as_ref(), current.as_ref())))
}

/// An amount of both runs, in one currency or in two.
fn both(
    base: Option<&ComparedCost>,
    current: Option<&ComparedCost>,
    amount: fn(&ComparedCost) -> Option<Money>,
) -> String {
    let text = |cost: Option<&ComparedCost>| cost.and_then(amount).map_or("-".to_owned(), Money::text);
    let currency = |cost: Option<&ComparedCost>| cost.map_or(String::new(), |cost| cost.currency.clone());
    let ((before, old), (after, new)) = ((text(base), currency(base)), (text(current), currency(current)));
    if old == new || old.is_empty() {
        format!("{before} -> {after} {new}")
    } else {
        format!("{before} {old} -> {after} {new}").trim_end().to_owned()
    }
}

/// By how much a million requests became dearer, in one currency.
fn change(base: Option<&ComparedCost>, current: Option<&ComparedCost>) -> String {
    let (Some(base), Some(current)) = (base, current) else { return String::new() };
    let each = base.per_million_requests.zip(current.per_million_requests);
    match each.map(|(before, after)| (before.value(), after.value())) {
        Some((before, after)) if before > 0.0 && base.currency == current.currency => {
            format!(" ({})", signed_percent(after / before - 1.0))
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Limits, compare, run_like};

    #[test]
    fn what_both_runs_cost_is_told_in_a_line() {
        let cost = |currency: &str, total: u64, each: Option<u64>| ComparedCost {
            currency: currency.to_owned(),
            total: Money::new(total),
            per_million_requests: each.map(Money::new),
        };
        let check = |base: Option<ComparedCost>, current: Option<ComparedCost>, expected: Option<&str>| {
            let mut comparison =
                compare(&run_like(1, 1.0, 0), &run_like(2, 1.0, 0), Limits::default()).unwrap();
            (comparison.base.cost, comparison.current.cost) = (base, current);
            assert_eq!(cost_line(&comparison).as_deref(), expected);
        };
        check(None, None, None);
        check(
            Some(cost("USD", 12_300, Some(480_000))),
            Some(cost("USD", 14_500, Some(560_000))),
            Some("cost: 0.0123 -> 0.0145 USD, per million requests 0.4800 -> 0.5600 USD (+16.7 %)"),
        );
        check(
            Some(cost("EUR", 2_000_000, None)),
            Some(cost("USD", 3_000_000, Some(1))),
            Some("cost: 2.00 EUR -> 3.00 USD, per million requests - EUR -> 0.000001 USD"),
        );
        check(
            None,
            Some(cost("USD", 3_000_000, None)),
            Some("cost: - -> 3.00 USD, per million requests - -> - USD"),
        );
        check(
            Some(cost("USD", 1, None)),
            None,
            Some("cost: 0.000001 USD -> -, per million requests - USD -> -"),
        );
    }
}
