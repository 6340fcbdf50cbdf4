//! The published schema of `report.json`.

/// JSON Schema (draft 2020-12) of `report.json`, as it stands in `docs/report.schema.json`. A test makes it of the model.
pub fn schema_text() -> &'static str {
    include_str!("../../../docs/report.schema.json")
}

#[cfg(test)]
mod tests;
