//! Links between the documents. A link that leads nowhere is how documents begin to lie.

use super::{Files, TextFile, Violation};

/// Every relative link leads to a file or folder of this repository.
pub fn relative_links_resolve(files: &Files) -> Vec<Violation> {
    files.with_extension("md").flat_map(|file| dead_links(file, files)).collect()
}

fn dead_links(file: &TextFile, files: &Files) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut in_code = false;
    for (number, line) in (1..).zip(file.text.lines()) {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        let dead = targets(line).into_iter().filter(|target| !resolves(&file.path, target, files));
        violations.extend(dead.map(|target| file.violation(number, format!("{target} leads nowhere"))));
    }
    violations
}

/// The relative targets of a line's links and of its link definition, without their fragments.
fn targets(line: &str) -> Vec<String> {
    let prose = without_code_spans(line);
    let inline = prose.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let definition =
        prose.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, target)| target);
    inline
        .chain(definition)
        .map(|target| target.trim_matches(['<', '>']))
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .filter_map(|target| target.split(['#', ' ']).next())
        .filter(|path| !path.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

fn without_code_spans(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

fn resolves(from: &str, target: &str, files: &Files) -> bool {
    let Some(path) = resolved(from, target) else {
        return false;
    };
    let folder = format!("{path}/");
    path.is_empty()
        || files.paths.contains(&path)
        || files.paths.iter().any(|known| known.starts_with(&folder))
}

/// The target as seen from the root, or nothing when it lies above it.
fn resolved(from: &str, target: &str) -> Option<String> {
    let mut parts = from.split('/').collect::<Vec<_>>();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;
    use super::relative_links_resolve;

    #[test]
    fn links_lead_somewhere() {
        for (text, dead) in [
            ("[code](../services/intake/src/lib.rs) and [here](other.md#part)", false),
            ("[folder](../services/intake/), [root](..) and [self](#part)", false),
            ("[far](https://example.org/a.md) <mailto:a@example.org>", false),
            ("`[not a link](nowhere.md)`", false),
            ("```\n[not a link](nowhere.md)\n```", false),
            ("[ref]: other.md \"a title\"", false),
            ("[gone](nowhere.md)", true),
            ("[above](../../other.md)", true),
            ("[ref]: ./nowhere.md", true),
            ("![picture](picture.svg \"a title\")", true),
        ] {
            let given = [("docs/a.md", text), ("docs/other.md", ""), ("services/intake/src/lib.rs", "")];
            let expected = if dead { &["docs/a.md:1: "][..] } else { &[] };
            check(relative_links_resolve, &given, expected);
        }
    }
}
