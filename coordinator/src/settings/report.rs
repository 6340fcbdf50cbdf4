//! What the flags of `coordinator report` say.

use super::{Environment, Text, UsageError, path, switch};
use crate::cli::ReportArgs;
use crate::report::Form;
use std::path::PathBuf;

/// Which report to make again, as what, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportConfig {
    /// The `report.json`, or the directory that has it.
    pub file: PathBuf,
    /// The directory that gets the files.
    pub out: PathBuf,
    /// What to make.
    pub forms: Vec<Form>,
    /// Whether GitHub Actions is told, as at the end of a run.
    pub github: bool,
}

impl ReportConfig {
    /// Resolves flags over variables over defaults. `is_directory` says whether a path is one.
    pub fn resolve(
        args: &ReportArgs,
        env: &Environment,
        is_directory: impl Fn(&PathBuf) -> bool,
    ) -> Result<ReportConfig, UsageError> {
        let home = match args.file.parent() {
            _ if is_directory(&args.file) => args.file.clone(),
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let out = args.out.clone().or_else(|| path(env, "LOAD_TEST_REPORT_OUT"));
        // Beside itself, the file need not be written; elsewhere, the others would be without it.
        let elsewhere = out.as_ref().is_some_and(|out| *out != home);
        let text = Text::find("--format", "LOAD_TEST_REPORT_FORMAT", args.format.as_deref(), env);
        let forms = match text {
            Some(text) => forms(text)?,
            None => Form::ALL.into_iter().filter(|form| elsewhere || *form != Form::Json).collect(),
        };
        let github = args.github || switch("LOAD_TEST_REPORT_GITHUB", env)?;
        Ok(ReportConfig { file: args.file.clone(), out: out.unwrap_or(home), forms, github })
    }
}

/// Names with commas or blanks between them.
fn forms(text: Text<'_>) -> Result<Vec<Form>, UsageError> {
    let names: Vec<&str> = Form::ALL.iter().map(|form| form.name()).collect();
    let remedy = format!("write one or more of {}, with commas between them", names.join(", "));
    let mut forms = Vec::new();
    for name in text.value.split([',', ' ']).map(str::trim).filter(|name| !name.is_empty()) {
        let Some(form) = Form::ALL.into_iter().find(|form| form.name() == name) else {
            let word = Text { value: name, ..text };
            return Err(text.error(format!("{} is no form of a report", word.quoted()), remedy));
        };
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    if forms.is_empty() {
        return Err(text.error(format!("{} names no form of a report", text.quoted()), remedy));
    }
    Ok(forms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(args: &ReportArgs, env: &[(&str, &str)]) -> Result<ReportConfig, String> {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        ReportConfig::resolve(args, &env, |path| path.ends_with("run")).map_err(|error| error.to_string())
    }

    #[test]
    fn files_go_beside_their_source_unless_told_otherwise() {
        let check = |file: &str, out: Option<&str>, expected: &str, json: bool| {
            let args = ReportArgs { file: file.into(), out: out.map(PathBuf::from), ..ReportArgs::default() };
            let config = resolve(&args, &[]).unwrap();
            assert_eq!((config.out, config.forms.contains(&Form::Json)), (expected.into(), json), "{file}");
            assert!(config.forms.len() >= Form::ALL.len() - 1);
        };
        check("report.json", None, ".", false);
        check("reports/run/report.json", None, "reports/run", false);
        check("reports/run", None, "reports/run", false);
        check("reports/run/report.json", Some("else"), "else", true);
        check("reports/run", Some("reports/run"), "reports/run", false);
    }

    #[test]
    fn forms_are_named_or_refused() {
        let args = |format: &str| ReportArgs {
            file: "a/report.json".into(),
            format: Some(format.to_owned()),
            ..ReportArgs::default()
        };
        let config = resolve(&args("junit, csv,junit"), &[]).unwrap();
        assert_eq!(config.forms, [Form::Junit, Form::Csv]);
        let error = resolve(&args("junit,pdf"), &[]).unwrap_err();
        assert!(
            error.starts_with("--format: `pdf` is no form of a report; write one or more of json, "),
            "{error}"
        );
        let error = resolve(&args(","), &[]).unwrap_err();
        assert!(error.starts_with("--format: `,` names no form of a report"), "{error}");
        let plain = ReportArgs { file: "a/report.json".into(), ..ReportArgs::default() };
        let env = [
            ("LOAD_TEST_REPORT_FORMAT", "summary"),
            ("LOAD_TEST_REPORT_OUT", "b"),
            ("LOAD_TEST_REPORT_GITHUB", "yes"),
        ];
        let config = resolve(&plain, &env).unwrap();
        assert_eq!((config.forms, config.out, config.github), (vec![Form::Summary], "b".into(), true));
        let error = resolve(&plain, &[("LOAD_TEST_REPORT_FORMAT", "x")]).unwrap_err();
        assert!(error.starts_with("LOAD_TEST_REPORT_FORMAT: `x`"), "{error}");
    }
}
