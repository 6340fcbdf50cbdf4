//! The closed sets of words in a report: what each of its keys may hold, and nothing else.

use serde::de::{Deserializer, Error, Visitor};
use std::fmt;

/// One word of a closed set.
pub(super) type Word = &'static str;

/// For each set a reader that takes only its words, and the schema that says so.
macro_rules! sets {
    ($($(#[$about:meta])* $name:ident $schema:ident: $($word:literal)*;)*) => {$(
        $(#[$about])*
        pub(super) fn $name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Word, D::Error> {
            deserializer.deserialize_str(Closed(&[$($word),*]))
        }

        #[cfg(test)]
        pub(super) fn $schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
            schemars::json_schema!({ "type": "string", "enum": [$($word),*] })
        }
    )*};
}

sets! {
    /// What a run ends in.
    verdict verdict_schema: "pass" "warn" "fail" "inconclusive";
    /// Units of observed values.
    unit unit_schema: "%" "ms" "/s" "";
    /// Which value of a threshold decided.
    level level_schema: "target" "critical";
    /// How a threshold came out.
    threshold_status threshold_status_schema: "pass" "warn" "fail" "no_data";
    /// HTTP methods, and what stands for them where a series is not one request.
    method method_schema: "GET" "POST" "PUT" "PATCH" "DELETE" "HEAD" "OPTIONS" "GROUP" "POLL" "EVAL" "WS" "RECV" "PING"
        "SESSION" "ISOLATION";
    /// Kinds of errors.
    error_kind error_kind_schema: "dns" "refused" "connect" "tls" "timeout" "reset" "protocol" "too_large" "status"
        "assertion" "template" "closed" "forbidden";
    /// Whether every request is accounted for.
    accounting accounting_schema: "exact" "incomplete";
    /// How an agent's books stand.
    account account_schema: "exact" "lost" "unfinished" "mismatch";
    /// Whether a generator was fit to measure.
    fitness fitness_schema: "valid" "degraded" "invalid";
    /// How an agent went.
    loss loss_schema: "lost" "left";
    /// What a comparison says.
    outcome outcome_schema: "regression" "no_regression" "unknown";
    /// What it says of a row.
    change change_schema: "regression" "improvement" "none" "unknown" "new" "gone";
    /// And of its latencies.
    latency_change latency_change_schema: "slower" "faster" "none" "unknown";
    /// And of its failures.
    failure_change failure_change_schema: "more" "fewer" "none" "unknown";
    /// What became of setup or teardown.
    chore chore_schema: "ok" "failed" "lost" "not_run";
}

/// Takes one of these words.
struct Closed(&'static [Word]);

impl Visitor<'_> for Closed {
    type Value = Word;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "one of {}", listed(self.0))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Word, E> {
        let known = self.0.iter().find(|word| **word == text);
        known.copied().ok_or_else(|| {
            let shown: String = text.chars().take(40).flat_map(char::escape_debug).collect();
            E::custom(format!("`{shown}` is none of {}", listed(self.0)))
        })
    }
}

fn listed(words: &[Word]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
