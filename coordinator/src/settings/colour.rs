//! Whether what is printed may carry colour.

use super::{Environment, UsageError, switch};

/// Whether colours are wanted where there is a terminal: not with `--no-color`, its variable, or `NO_COLOR`
/// (<https://no-color.org>: set, and not empty).
///
/// # Errors
/// When the variable is neither yes nor no.
pub fn wants_colour(no_color: bool, env: &Environment) -> Result<bool, UsageError> {
    let unset = env.get("NO_COLOR").is_none_or(String::is_empty);
    Ok(!no_color && !switch("LOAD_TEST_NO_COLOR", env)? && unset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_and_two_variables_turn_colours_off() {
        let check = |no_color: bool, env: &[(&str, &str)], expected: bool| {
            let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(wants_colour(no_color, &env).unwrap(), expected);
        };
        check(false, &[], true);
        check(true, &[], false);
        check(false, &[("NO_COLOR", "1")], false);
        check(false, &[("NO_COLOR", "")], true);
        check(false, &[("LOAD_TEST_NO_COLOR", "yes")], false);
        check(false, &[("LOAD_TEST_NO_COLOR", "0")], true);
        let env = Environment::from([("LOAD_TEST_NO_COLOR".to_owned(), "perhaps".to_owned())]);
        assert!(wants_colour(false, &env).unwrap_err().to_string().contains("neither yes nor no"));
    }
}
