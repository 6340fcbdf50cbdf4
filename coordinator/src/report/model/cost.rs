//! What the agents of a run cost.

use crate::results::{Cost, quantity};
use metrics::unit::{Currency, MICROS, Price};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::Duration;

/// What the agents of a run cost, by the price that the plan states.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CostPart {
    /// Three capital letters (ISO 4217).
    pub currency: String,
    /// What the plan says that an agent costs per hour.
    pub agent_hour: Money,
    /// Agents that had users.
    pub agents: u32,
    /// How long they were attached until the end of the run (or until they were lost or left), all together.
    pub agent_seconds: f64,
    /// Requests with a result, those of the warm-up included.
    pub requests: u64,
    /// What these agents cost for that time.
    pub total: Money,
    /// What a million of these requests cost; null without any.
    pub per_million_requests: Option<Money>,
}

/// The largest amount of which a JSON number tells each millionth.
const MOST: u64 = 1 << 53;

/// An amount of money in millionths; in the report a number with at most 6 decimals, which is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(u64);

impl Money {
    pub(crate) fn new(micros: u64) -> Money {
        Money(micros.min(MOST))
    }

    /// As a person reads it: two decimals, or more of what is less than one.
    pub(crate) fn text(self) -> String {
        let decimals = match self.0 {
            MICROS.. => 2,
            10_000.. => 4,
            _ => 6,
        };
        quantity::decimal(self.value(), decimals)
    }

    /// All of its decimals.
    fn exact(self) -> String {
        let text = quantity::decimal(self.value(), 6);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    /// In the currency.
    pub(crate) fn value(self) -> f64 {
        self.0 as f64 / MICROS as f64
    }
}

impl CostPart {
    pub(crate) fn new(cost: &Cost) -> CostPart {
        let price = cost.price;
        CostPart {
            currency: price.currency.to_string(),
            agent_hour: Money::new(price.micros),
            agents: cost.agents,
            agent_seconds: cost.time.as_millis() as f64 / 1e3,
            requests: cost.requests,
            total: Money::new(price.of(cost.time)),
            per_million_requests: price.of_each_million(cost.time, cost.requests).map(Money::new),
        }
    }

    /// What it would be by its own price, time and requests; `None` where these are none.
    pub(crate) fn again(&self) -> Option<CostPart> {
        let currency = Currency::parse(&self.currency)?;
        let micros = Some(self.agent_hour.0).filter(|micros| *micros > 0)?;
        // The longest run of the most agents has fewer.
        let seconds = Some(self.agent_seconds).filter(|seconds| (0.0..1e13).contains(seconds))?;
        let time = Duration::from_millis((seconds * 1e3).round() as u64);
        Some(CostPart::new(&Cost {
            price: Price { micros, currency },
            agents: self.agents,
            time,
            requests: self.requests,
        }))
    }

    /// `0.0123 USD` and `0.48 USD`: of the run, and per million requests.
    pub(crate) fn texts(&self) -> (String, Option<String>) {
        let with_currency = |money: Money| format!("{} {}", money.text(), self.currency);
        (with_currency(self.total), self.per_million_requests.map(with_currency))
    }

    /// All of it in a line: `0.0123 USD (2 agents, 369.2 s at 0.12 USD an hour), 0.48 USD per million requests`.
    pub(crate) fn line(&self) -> String {
        let (total, each) = self.texts();
        let agents = if self.agents == 1 {
            "1 agent".to_owned()
        } else {
            format!("{} agents", quantity::count(self.agents.into()))
        };
        let price = format!("{} {}", self.agent_hour.exact(), self.currency);
        let each = each.map_or(String::new(), |each| format!(", {each} per million requests"));
        let (time, of) = match self.agent_seconds {
            seconds if seconds < 3_600.0 => (seconds, "agent-seconds"),
            seconds => (seconds / 3_600.0, "agent-hours"),
        };
        format!("{total} ({agents}, {} {of} at {price} per hour){each}", quantity::decimal(time, 1))
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.value())
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
        let value = f64::deserialize(deserializer)?;
        let micros = (value * MICROS as f64).round();
        if !(0.0..=MOST as f64).contains(&micros) {
            return Err(D::Error::custom(format!("{value} is no amount of money")));
        }
        Ok(Money(micros as u64))
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Money {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Money".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "number",
            "minimum": 0,
            "description": "An amount in the currency, with at most 6 decimals"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics::unit::parse_price;

    fn part(price: &str, agents: u32, ms: u64, requests: u64) -> CostPart {
        let price = parse_price(price).unwrap();
        CostPart::new(&Cost { price, agents, time: Duration::from_millis(ms), requests })
    }

    #[test]
    fn costs_are_told_and_read_back() {
        let check = |part: &CostPart, line: &str, total: f64, each: Option<f64>| {
            assert_eq!(part.line(), line);
            let json = serde_json::to_value(part).unwrap();
            assert_eq!((json["total"].as_f64(), json["per_million_requests"].as_f64()), (Some(total), each));
            assert_eq!(&serde_json::from_value::<CostPart>(json).unwrap(), part);
            assert_eq!(part.again().as_ref(), Some(part));
        };
        check(
            &part("0.12 USD", 2, 369_210, 25_640),
            "0.0123 USD (2 agents, 369.2 agent-seconds at 0.12 USD per hour), 0.4800 USD per million requests",
            0.012_307,
            Some(0.479_992),
        );
        check(
            &part("3 EUR", 40, 7_200_000 * 40, 1_000_000_000),
            "240.00 EUR (40 agents, 80.0 agent-hours at 3 EUR per hour), 0.2400 EUR per million requests",
            240.0,
            Some(0.24),
        );
        check(
            &part("0.12 USD", 1, 10, 0),
            "0.000000 USD (1 agent, 0.0 agent-seconds at 0.12 USD per hour)",
            0.0,
            None,
        );
    }

    #[test]
    fn what_is_no_money_is_refused() {
        for text in ["-0.1", "1e300", "\"1\""] {
            assert!(serde_json::from_str::<Money>(text).is_err(), "{text}");
        }
        assert_eq!(serde_json::from_str::<Money>("0.1").unwrap(), Money(100_000));
        let mut odd = part("0.12 USD", 1, 1000, 1);
        odd.currency = "dollars".to_owned();
        assert_eq!(odd.again(), None);
        odd = CostPart { agent_seconds: f64::MAX, ..part("0.12 USD", 1, 1000, 1) };
        assert_eq!(odd.again(), None);
    }
}
