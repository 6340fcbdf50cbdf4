//! `cost`: what agents cost.

use super::Reader;
use super::fields::Fields;
use super::value::Expected;
use crate::language;
use crate::yaml::{Entry, Kind};
use metrics::unit::{Price, parse_price};

const EXPECTED: Expected = Expected {
    what: "a price such as `0.12 USD`",
    remedy: "write a number and the code of its currency, such as `0.12 USD` or `3 EUR`",
};

impl Reader<'_> {
    /// The price of an agent-hour. After something was reported there is none.
    pub(super) fn agent_hour(&mut self, entry: Option<&Entry>) -> Option<Price> {
        let entry = entry?;
        let fields = Fields::new(self, &entry.value, entry.key_span, &language::COST)?;
        let price = self.required(&fields, "agent_hour", "agent_hour: 0.12 USD")?;
        let constant = self.constant(&price.value, EXPECTED)?;
        match constant.kind {
            Kind::Integer(_) | Kind::Float(_) => {
                let meant = format!("{} USD", constant.text.trim_start_matches(['-', '+']));
                let remedy = match parse_price(&meant) {
                    Ok(_) => format!("write `{meant}`, or the code of another currency"),
                    Err(_) => EXPECTED.remedy.to_owned(),
                };
                self.no_unit(&price.value, &constant, EXPECTED.what, remedy);
                None
            }
            Kind::Text => parse_price(&constant.text).map_err(|e| self.unit_error(&price.value, e)).ok(),
            _ => {
                self.wrong_constant(&price.value, &constant, EXPECTED);
                None
            }
        }
    }
}
