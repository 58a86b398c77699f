//! The README's story, run as it stands there: every status it promises is compared with what comes.
//!
//! The block is plain shell. A line that promises ends in a comment: `# 200`, or `# 401 within 5 s` for what
//! has to arrive first. More may follow a comma. Before such a line is run it is wrapped; everything else,
//! also what the lines before left in variables and functions, is as a reader has it.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::example::{self, Example, Programs};
use crate::process::{Tied, tail};
use crate::steps::{Failure, Verdict};
use crate::tools;
use crate::workspace::{Profile, Workspace};

/// The section of the README.
const HEADING: &str = "## See it end";
/// A story that promises less tells nothing.
const LEAST: usize = 8;
const LIMIT: Duration = Duration::from_secs(120);

/// The commands, for somebody to paste.
pub(crate) fn commands(workspace: &Workspace) -> Result<String, Failure> {
    let readme = fs::read_to_string(workspace.root().join("README.md"))
        .map_err(|error| Failure::wrong(format!("README.md: {error}")))?;
    let block = block(&readme, HEADING, "sh");
    block.ok_or_else(|| Failure::wrong(format!("README.md has no commands under {HEADING:?}")))
}

/// Starts a demo and an example of its own on free ports, and runs the commands against them.
pub(crate) fn check(workspace: &Workspace) -> Verdict {
    ["bash", "curl"].into_iter().try_for_each(tools::shell_program)?;
    let script = Script::of(&commands(workspace)?)?;
    let programs = Programs::build(workspace, Profile::Dev)?;
    let root =
        tempfile::Builder::new().prefix("procura-story-").tempdir().map_err(|error| unusable(&error))?;
    let folder = root.path().join(example::FOLDER);
    example::fresh(&folder)?;
    let example = Example::start(&folder, &programs, 0)?;
    let said = script.run(root.path(), Tied::command("bash"));
    if said.is_err() {
        println!("the last words of both:\n{}", example.last_words());
    }
    let checked = said?;
    example.stop()?;
    Ok(format!("{checked} statuses as it says"))
}

/// The fenced block of a language that stands first under a heading.
fn block(readme: &str, heading: &str, language: &str) -> Option<String> {
    let mut lines = readme.lines().skip_while(|line| *line != heading).skip(1);
    let opening = format!("```{language}");
    lines.by_ref().take_while(|line| !line.starts_with("## ")).find(|line| *line == opening)?;
    let mut block = String::new();
    for line in lines {
        if line == "```" {
            return Some(block);
        }
        block.push_str(line);
        block.push('\n');
    }
    None
}

/// Runs a promise again while it is answered 200 and there is time left.
const ANSWERS: &str = r#"answers() { # status, seconds, number of the line, command
    local begin=$SECONDS got
    while :; do
        got=$(eval "$4")
        if [ "$got" = "$1" ]; then
            echo "line $3: $got"
            return 0
        fi
        if [ "$got" != 200 ] || [ $((SECONDS - begin)) -ge "$2" ]; then
            echo "line $3: $got, where $1 is promised: $4"
            exit 1
        fi
        sleep 0.05
    done
}
"#;

/// The block, with every promise wrapped.
#[derive(Debug)]
pub(crate) struct Script {
    text: String,
    promises: usize,
}

impl Script {
    pub(crate) fn of(block: &str) -> Result<Self, Failure> {
        let mut script = Self { text: ANSWERS.to_owned(), promises: 0 };
        // What a reader is asked to wait counts: the time begins with the change.
        let mut slept = 0;
        for (number, line) in (1..).zip(block.lines()) {
            let word = line.split_whitespace().next().unwrap_or_default();
            match Promise::at_the_end_of(line) {
                Some(promise) => {
                    let seconds = promise.seconds.saturating_sub(slept);
                    let command = promise.command.replace('\'', r"'\''");
                    script
                        .text
                        .push_str(&format!("answers {} {seconds} {number} '{command}'\n", promise.status));
                    script.promises += 1;
                }
                None if ["call", "curl"].contains(&word) => {
                    return Err(Failure::wrong(format!("a call without a status: {line}")));
                }
                None => {
                    if word == "sleep" {
                        slept += line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
                    } else if !word.is_empty() && word != "#" {
                        slept = 0;
                    }
                    script.text.push_str(line);
                    script.text.push('\n');
                }
            }
        }
        match script.promises {
            few @ 0..LEAST => {
                Err(Failure::wrong(format!("{few} statuses in the commands, {LEAST} at least")))
            }
            _ => Ok(script),
        }
    }

    /// Runs it by this shell in a folder; how many promises were kept.
    pub(crate) fn run(&self, root: &Path, mut bash: Command) -> Result<usize, Failure> {
        let (script, out) = (root.join("story.sh"), root.join("story.out"));
        fs::write(&script, &self.text).map_err(|error| unusable(&error))?;
        let file = File::create(&out).map_err(|error| unusable(&error))?;
        let errors = file.try_clone().map_err(|error| unusable(&error))?;
        bash.args(["-eu", "story.sh"]).current_dir(root).env("NO_PROXY", "127.0.0.1");
        bash.stdout(file).stderr(errors);
        let ended = Tied::spawn("the story", &mut bash)?.finish(LIMIT);
        let said = tail(&out, usize::MAX);
        println!("{said}");
        ended?;
        match said.lines().filter(|line| line.starts_with("line ")).count() {
            kept if kept == self.promises => Ok(kept),
            kept => Err(Failure::wrong(format!("{kept} of {} statuses were seen", self.promises))),
        }
    }
}

/// `call ...  # 401 within 5 s, and why`.
#[derive(Debug, PartialEq, Eq)]
struct Promise<'a> {
    command: &'a str,
    status: &'a str,
    seconds: u64,
}

impl<'a> Promise<'a> {
    fn at_the_end_of(line: &'a str) -> Option<Self> {
        let (command, comment) = line.rsplit_once(" # ")?;
        let said = comment.split(',').next()?.trim_end();
        let (status, within) = said.split_once(' ').unwrap_or((said, ""));
        if status.len() != 3 || !status.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let seconds = match within {
            "" => 0,
            within => within.strip_prefix("within ")?.strip_suffix(" s")?.parse().ok()?,
        };
        Some(Self { command: command.trim_end(), status, seconds })
    }
}

fn unusable(error: &std::io::Error) -> Failure {
    Failure::wrong(format!("the throw-away folder can't be used: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readme() -> String {
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap()
    }

    fn run(last: &str) -> Result<usize, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let mut block = "STATUS=403\ncall() { echo $1; }\n".to_owned();
        block.push_str(&"call 200   # 200, well\n".repeat(LEAST));
        block.push_str(last);
        Script::of(&block).and_then(|script| script.run(folder.path(), Command::new("bash")))
    }

    #[test]
    fn a_promise_is_a_status_and_perhaps_some_seconds() {
        let promise = |line| Promise::at_the_end_of(line);
        let made = |command, status, seconds| Some(Promise { command, status, seconds });
        assert_eq!(promise("call a   # 200"), made("call a", "200", 0));
        assert_eq!(promise("call 'a # b' # 401 within 5 s, it is over"), made("call 'a # b'", "401", 5));
        for none in [
            "call a",
            "call a # soon",
            "# 200",
            "call a # 200 at once",
            "call a # 20",
            "call a # 200 within s",
        ] {
            assert_eq!(promise(none), None, "{none}");
        }
    }

    #[test]
    fn every_promise_is_compared_with_what_comes() {
        assert_eq!(run("call $STATUS # 403\n"), Ok(LEAST + 1));
        assert_eq!(run("call 'it'\\''s' # 403\n").unwrap_err(), Failure::wrong("the story: exit status: 1"));
        run("call $STATUS # 401\n").unwrap_err();
        run("call 200 # 401\n").unwrap_err();
        run("call $NOTHING # 200\n").unwrap_err();
        run("false\n").unwrap_err();
        run("exit 0\n").map(|kept| assert_eq!(kept, LEAST)).unwrap();
        run("exit 0\ncall 200 # 200\n").unwrap_err();
    }

    #[test]
    fn what_has_to_arrive_is_asked_for_until_it_is_there_and_not_beyond_its_time() {
        let later = "touch a\ncall() { if [ -e a ]; then rm a; echo 200; else echo 401; fi; }\n";
        assert_eq!(run(&format!("{later}call 1 # 401 within 5 s\n")), Ok(LEAST + 1));
        run(&format!("{later}call 1 # 401\n")).unwrap_err();
        run("call 200 # 401 within 1 s\n").unwrap_err();
        // Another refusal than the promised one is not waited for.
        run("call 503 # 401 within 5 s\n").unwrap_err();
    }

    #[test]
    fn what_a_reader_is_asked_to_wait_counts() {
        let block = format!(
            "{}x\nsleep 2\ncall 1 # 401 within 5 s\ny\ncall 1 # 401 within 5 s\n",
            "a # 200\n".repeat(8)
        );
        let text = Script::of(&block).unwrap().text;
        assert!(text.contains("answers 401 3 11 'call 1'\ny\nanswers 401 5 13 'call 1'\n"), "{text}");
    }

    #[test]
    fn a_call_without_a_status_and_a_story_that_promises_little_are_refused() {
        let few = "call 200 # 200\n".repeat(LEAST - 1);
        Script::of(&few).unwrap_err();
        Script::of(&format!("{few}call 200 # 200\ncall 200\n")).unwrap_err();
        Script::of(&format!("{few}call 200 # 200\n")).unwrap();
    }

    #[test]
    fn the_readme_tells_a_story_with_curl_and_sed_alone() {
        let story = block(&readme(), HEADING, "sh").unwrap();
        let script = Script::of(&story).unwrap();
        assert!(script.promises >= 10, "{}", script.promises);
        assert!(story.starts_with(&format!(". {}/env\n", example::FOLDER)));
        for tool in ["jq", "python", "node "] {
            assert!(!story.contains(tool), "{tool}");
        }
        for must in ["/revoke", "trust disable", "401 within 5 s"] {
            assert!(story.contains(must), "{must}");
        }
    }

    #[test]
    fn the_readme_s_lines_for_apis_are_the_example_s() {
        let shown = block(&readme(), "## For APIs", "rust").unwrap();
        let mut marked = String::new();
        for file in ["main.rs", "quotes.rs"] {
            let path = format!("{}/../examples/payments/src/{file}", env!("CARGO_MANIFEST_DIR"));
            let source = fs::read_to_string(path).unwrap();
            let mut inside = None;
            for line in source.lines() {
                let indent = line.len() - line.trim_start().len();
                match (line.trim(), inside) {
                    ("// [readme", None) => inside = Some(indent),
                    ("// readme]", Some(_)) => inside = None,
                    (_, Some(indent)) => marked.push_str(&format!("{}\n", &line[indent..])),
                    _ => {}
                }
            }
            assert_eq!(inside, None, "{file}");
        }
        assert_eq!(shown, marked);
    }
}
