//! What failed tests said, gathered from the output of `cargo test` while it goes by: between what services say and
//! what other tests say it is hard to find, and a log that is cut loses it.

/// Lines of a failure that are told again: the panic's own, and what it compares.
const MOST_LINES: usize = 12;

/// The tests that failed, in order, each with the end of what it said.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Failures {
    told: Vec<(String, Vec<String>)>,
    is_within: bool,
}

impl Failures {
    /// The next line of the output.
    pub fn take_in(&mut self, line: &str) {
        if let Some(name) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            self.told.push((name.to_owned(), Vec::new()));
            self.is_within = true;
        } else if line == "failures:" {
            self.is_within = false;
        } else if let Some((_, lines)) = self.told.last_mut().filter(|_| self.is_within)
            && (!lines.is_empty() || line.contains(" panicked at "))
            && lines.len() < MOST_LINES
        {
            lines.push(line.to_owned());
        }
    }

    /// Prints them, where there are any.
    pub fn print(&self) {
        for (name, lines) in &self.told {
            println!("\nFAILED {name}\n{}", lines.join("\n"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Failures;

    #[test]
    fn each_failure_is_told_with_its_panic_and_without_what_went_before() {
        let output = "test one ... FAILED\nfailures:\n\n---- one stdout ----\nsaid before\n\
            thread 'one' (12) panicked at src/lib.rs:1:2:\nwhy\n\n---- two stdout ----\n\
            thread 'two' panicked at src/lib.rs:3:4:\nwhy not\n\nfailures:\n    one\n    two\n";
        let mut failures = Failures::default();
        output.lines().for_each(|line| failures.take_in(line));
        let told = |name: &str, lines: &[&str]| {
            (name.to_owned(), lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
        };
        let expected = [
            told("one", &["thread 'one' (12) panicked at src/lib.rs:1:2:", "why", ""]),
            told("two", &["thread 'two' panicked at src/lib.rs:3:4:", "why not", ""]),
        ];
        assert_eq!(failures.told, expected);
    }
}
