//! Reading rows whose totals stand among their own keys, so that an error names the key and its place: serde's `flatten`
//! reads ahead and knows neither.

use super::super::words::{self, Word};
use super::{
    EncodedHistogram, GroupRow, LatencyIntervals, LatencyPart, PhasesPart, RequestRow, Totals, UserClassRow,
};
use serde::{Deserialize, Deserializer};

/// A row as it stands in the file: its own keys, then those of its totals.
macro_rules! flat {
    ($row:ident { $($(#[$attribute:meta])* $field:ident: $kind:ty),* $(,)? }) => {
        #[derive(Deserialize)]
        struct $row {
            $($(#[$attribute])* $field: $kind,)*
            requests: u64,
            failures: u64,
            success_rate: Option<f64>,
            rps: Option<f64>,
            bytes_in: u64,
            bytes_out: u64,
            #[serde(default)]
            messages_sent: u64,
            #[serde(default)]
            messages_received: u64,
            latency_ms: LatencyPart,
            #[serde(default)]
            service_ms: LatencyPart,
            #[serde(default)]
            latency_ci_ms: LatencyIntervals,
            #[serde(default)]
            latency_hdr: Option<EncodedHistogram>,
        }

        impl $row {
            /// The row's own values, and its totals.
            fn parts(self) -> (($($kind,)*), Totals) {
                let totals = Totals {
                    requests: self.requests,
                    failures: self.failures,
                    success_rate: self.success_rate,
                    rps: self.rps,
                    bytes_in: self.bytes_in,
                    bytes_out: self.bytes_out,
                    messages_sent: self.messages_sent,
                    messages_received: self.messages_received,
                    latency_ms: self.latency_ms,
                    service_ms: self.service_ms,
                    latency_ci_ms: self.latency_ci_ms,
                    latency_hdr: self.latency_hdr,
                };
                (($(self.$field,)*), totals)
            }
        }
    };
}

flat!(TotalsFile {});
flat!(GroupFile { name: String });
flat!(UserClassFile { name: String });
flat!(RequestFile {
    name: String,
    group: Option<String>,
    user_class: String,
    task: String,
    #[serde(deserialize_with = "words::method")]
    method: Word,
    phases_ms: PhasesPart,
});

impl<'de> Deserialize<'de> for Totals {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Totals, D::Error> {
        let ((), totals) = TotalsFile::deserialize(deserializer)?.parts();
        Ok(totals)
    }
}

impl<'de> Deserialize<'de> for GroupRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<GroupRow, D::Error> {
        let ((name,), totals) = GroupFile::deserialize(deserializer)?.parts();
        Ok(GroupRow { name, totals })
    }
}

impl<'de> Deserialize<'de> for UserClassRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<UserClassRow, D::Error> {
        let ((name,), totals) = UserClassFile::deserialize(deserializer)?.parts();
        Ok(UserClassRow { name, totals })
    }
}

impl<'de> Deserialize<'de> for RequestRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RequestRow, D::Error> {
        let ((name, group, user_class, task, method, phases_ms), totals) =
            RequestFile::deserialize(deserializer)?.parts();
        Ok(RequestRow { name, group, user_class, task, method, totals, phases_ms })
    }
}
