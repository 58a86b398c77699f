//! Pages in `docs/` that show code which the tests run.
//!
//! `<!-- shown: FILE REGION -->` stands before a block of code. The block is that file's lines between
//! `region REGION` and `endregion REGION`, whatever marks a comment there; [`write`] puts them in, and a
//! test fails when a page shows anything else.

use std::fs;
use std::path::Path;

use crate::steps::{Failure, Verdict};
use crate::workspace::Workspace;

/// The pages that show code.
const PAGES: [&str; 2] = ["docs/oauth-libraries.md", "docs/protect-an-api.md"];

/// Puts the code of today into the pages.
pub(crate) fn write(workspace: &Workspace) -> Verdict {
    let mut renewed = Vec::new();
    for page in PAGES {
        let place = workspace.root().join(page);
        let old = read(&place)?;
        let new = rendered(&old, &|file| read(&workspace.root().join(file)))?;
        if new != old {
            fs::write(&place, new)
                .map_err(|error| Failure::wrong(format!("{page} can't be written: {error}")))?;
            renewed.push(page);
        }
    }
    Ok(if renewed.is_empty() { "fresh".to_owned() } else { format!("{} written", renewed.join(", ")) })
}

fn read(place: &Path) -> Result<String, Failure> {
    fs::read_to_string(place)
        .map_err(|error| Failure::wrong(format!("{} can't be read: {error}", place.display())))
}

/// A page with the code that its marks name.
fn rendered(page: &str, file: &dyn Fn(&str) -> Result<String, Failure>) -> Result<String, Failure> {
    let mut out = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        push(&mut out, line);
        let Some(mark) = line.strip_prefix("<!-- shown: ").and_then(|rest| rest.strip_suffix(" -->")) else {
            continue;
        };
        let fence = lines.next().filter(|fence| fence.starts_with("```"));
        let named = mark.split_once(' ').zip(fence);
        let Some(((name, region), fence)) = named else {
            return Err(Failure::wrong(format!(
                "{mark}: a file, a region and a block of code belong together"
            )));
        };
        // What the page showed before; it must have an end.
        if !lines.by_ref().any(|line| line == "```") {
            return Err(Failure::wrong(format!("{mark}: the block of code has no end")));
        }
        push(&mut out, fence);
        out.push_str(
            &shown(&file(name)?, region).ok_or_else(|| Failure::wrong(format!("{mark}: no such region")))?,
        );
        push(&mut out, "```");
    }
    Ok(out)
}

/// The lines of a region, without blank lines around them, and without the margin that they have in common.
fn shown(file: &str, region: &str) -> Option<String> {
    let (begin, end) = (format!(" region {region}"), format!(" endregion {region}"));
    let mut lines = file.lines().skip_while(|line| !line.ends_with(&begin)).skip(1);
    let mut found = Vec::new();
    loop {
        match lines.next()? {
            line if line.ends_with(&end) => break,
            line => found.push(line),
        }
    }
    let first = found.iter().position(|line| !line.is_empty())?;
    let last = found.iter().rposition(|line| !line.is_empty())?;
    let found = found.get(first..=last)?;
    let margin = |line: &&str| line.len() - line.trim_start().len();
    let margin = found.iter().filter(|line| !line.is_empty()).map(margin).min()?;
    let mut out = String::new();
    for line in found {
        push(&mut out, line.get(margin..).unwrap_or_default());
    }
    Some(out)
}

fn push(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "x\n  # region a\n\n  one\n\n    two\n\n  # endregion a\n// region b\nthree\n";

    fn render(page: &str) -> Result<String, Failure> {
        rendered(page, &|name| if name == "f.py" { Ok(FILE.to_owned()) } else { Err(Failure::wrong("none")) })
    }

    #[test]
    fn every_page_shows_the_code_that_the_tests_run() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for page in PAGES {
            let text = read(&root.join(page)).unwrap();
            let fresh = rendered(&text, &|file| read(&root.join(file))).unwrap();
            assert!(text.contains("<!-- shown: "), "{page} shows nothing");
            assert!(text == fresh, "{page} shows other code than the tests run; renew it: cargo xtask pages");
        }
    }

    #[test]
    fn a_block_becomes_the_region_and_the_rest_stays() {
        let page = "# t\n<!-- shown: f.py a -->\n```python\nold\n```\nrest\n";
        let fresh = "# t\n<!-- shown: f.py a -->\n```python\none\n\n  two\n```\nrest\n";
        assert_eq!(render(page).unwrap(), fresh);
        assert_eq!(render(fresh).unwrap(), fresh);
    }

    #[test]
    fn what_cant_be_shown_is_an_error() {
        for page in [
            "<!-- shown: f.py b -->\n```\n```\n",
            "<!-- shown: f.py c -->\n```\n```\n",
            "<!-- shown: g.py a -->\n```\n```\n",
            "<!-- shown: f.py -->\n```\n```\n",
            "<!-- shown: f.py a -->\ntext\n```\n```\n",
            "<!-- shown: f.py a -->\n```\nold\n",
        ] {
            assert!(render(page).is_err(), "{page:?}");
        }
    }
}
