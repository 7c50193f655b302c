//! `millrace feed test`: contracts against the golden files beside them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result};
use clap::Args;
use rows::check::{Options, check};
use rows::contract::Contract;
use serde::Serialize;
use serde_json::Value;

use super::golden::{self, Difference};
use super::{exit_code, read_contract};
use crate::complain::{self, Hint};
use crate::scratch::FileScratch;

const GREEN: Style = AnsiColor::Green.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const RED: Style = AnsiColor::Red.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default();

const EXPECTED: &str = ".expected.json";
const VALUE_CHARACTERS_MAX: usize = 400;

/// Arguments of `millrace feed test`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Contracts; the golden files of X.toml lie in X.golden beside it.
    #[arg(required = true, value_name = "FILE.toml")]
    files: Vec<PathBuf>,
    /// Write what the reports hold now as what they must hold.
    #[arg(long)]
    update: bool,
    /// Print one JSON object per contract.
    #[arg(long)]
    json: bool,
}

/// What became of one golden file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Passed,
    Failed,
    /// There is nothing to compare with.
    NoExpectation,
    /// There is an expectation without a file.
    NoInput,
    Updated,
}

#[derive(Debug, Serialize)]
struct Case {
    input: String,
    verdict: Verdict,
    differences: Vec<Difference>,
    /// The report, where there is nothing to compare it with.
    #[serde(skip_serializing_if = "Option::is_none")]
    actual: Option<Value>,
}

#[derive(Debug, Serialize)]
struct Tested {
    file: String,
    contract: String,
    passed: usize,
    failed: usize,
    cases: Vec<Case>,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (mut could_not, mut failed) = (false, false);
    for path in &arguments.files {
        let tested = match test(path, arguments.update) {
            Ok(tested) => tested,
            Err(error) => {
                complain::about(&error);
                could_not = true;
                continue;
            }
        };
        failed |= tested.failed > 0;
        if arguments.json {
            let mut stdout = std::io::stdout().lock();
            writeln!(stdout, "{}", serde_json::to_string(&tested)?)?;
        } else {
            print(&tested)?;
        }
    }
    Ok(exit_code(could_not, failed))
}

fn test(path: &Path, update: bool) -> Result<Tested> {
    let contract = read_contract(path)?;
    let folder = path.with_extension("golden");
    let (inputs, expectations) = files(&folder)?;
    let mut cases = Vec::new();
    for input in &inputs {
        cases.push(case(&contract, input, update).with_context(|| input.display().to_string())?);
    }
    for expectation in expectations {
        let input = without_suffix(&expectation).filter(|input| !inputs.contains(input));
        cases.extend(input.map(|input| Case {
            input: input.display().to_string(),
            verdict: Verdict::NoInput,
            differences: Vec::new(),
            actual: None,
        }));
    }
    let good = |case: &&Case| matches!(case.verdict, Verdict::Passed | Verdict::Updated);
    let passed = cases.iter().filter(good).count();
    Ok(Tested {
        file: path.display().to_string(),
        contract: contract.name,
        passed,
        failed: cases.len() - passed,
        cases,
    })
}

/// Inputs and expectations in a folder, by name. Hidden files are neither.
fn files(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let none = || {
        let hint = format!("put small files of the sender's kind in {} and run with --update", folder.display());
        Hint::new(format!("there are no golden files in {}", folder.display()), hint)
    };
    if !folder.is_dir() {
        return Err(none().into());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry.with_context(|| folder.display().to_string())?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_file() && !hidden {
            files.push(path);
        }
    }
    files.sort();
    let (expectations, inputs): (Vec<_>, Vec<_>) = files.into_iter().partition(|path| without_suffix(path).is_some());
    if inputs.is_empty() && expectations.is_empty() {
        return Err(none().into());
    }
    Ok((inputs, expectations))
}

fn without_suffix(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?.strip_suffix(EXPECTED)?;
    Some(path.with_file_name(name))
}

fn case(contract: &Contract, input: &Path, update: bool) -> Result<Case> {
    let actual = report(contract, input)?;
    let mut place = input.as_os_str().to_owned();
    place.push(EXPECTED);
    let place = PathBuf::from(place);
    let before = expected(&place)?;
    let differences = before.as_ref().map_or(Vec::new(), |before| golden::differences(before, &actual));
    let case = |verdict, differences, actual| Case { input: input.display().to_string(), verdict, differences, actual };
    if before.is_some() && differences.is_empty() {
        return Ok(case(Verdict::Passed, differences, None));
    }
    let renewed = golden::expectation(before.as_ref(), &actual);
    if update {
        let text = format!("{}\n", serde_json::to_string_pretty(&renewed)?);
        fs::write(&place, text).with_context(|| format!("writing {}", place.display()))?;
        return Ok(case(Verdict::Updated, differences, None));
    }
    Ok(match before {
        Some(_) => case(Verdict::Failed, differences, None),
        None => case(Verdict::NoExpectation, differences, Some(renewed)),
    })
}

fn expected(place: &Path) -> Result<Option<Value>> {
    let text = match fs::read_to_string(place) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| place.display().to_string()),
    };
    let value: Value = serde_json::from_str(&text).with_context(|| format!("{} is no JSON", place.display()))?;
    Ok(Some(value))
}

fn report(contract: &Contract, input: &Path) -> Result<Value> {
    let file = fs::File::open(input)?;
    let options = Options { contract: Some(contract), ..Options::default() };
    let checked = check(Box::new(file), options, &mut || Ok(Box::new(FileScratch::default())))?;
    Ok(serde_json::to_value(&checked.report)?)
}

fn print(tested: &Tested) -> Result<()> {
    let mut out = anstream::stdout().lock();
    for case in &tested.cases {
        let input = &case.input;
        match case.verdict {
            Verdict::Passed => writeln!(out, "{GREEN}passed{GREEN:#} {input}")?,
            Verdict::Updated => writeln!(out, "{YELLOW}updated{YELLOW:#} {input}")?,
            Verdict::NoInput => {
                writeln!(out, "{RED}failed{RED:#} {input}: there is an expectation but no such file")?;
            }
            Verdict::Failed => writeln!(out, "{RED}failed{RED:#} {input}")?,
            Verdict::NoExpectation => {
                writeln!(out, "{RED}failed{RED:#} {input}: nothing says what to expect; the report holds")?;
                let actual = serde_json::to_string_pretty(&case.actual)?;
                actual.lines().try_for_each(|line| writeln!(out, "    {line}"))?;
            }
        }
        for Difference { path, expected, actual } in &case.differences {
            let actual = actual.as_ref().map_or("nothing: the report has no such key".to_owned(), shown);
            writeln!(out, "    {path}: expected {}, got {actual}", shown(expected))?;
        }
    }
    writeln!(out, "{}: {} passed, {} failed", tested.file, tested.passed, tested.failed)?;
    if tested.cases.iter().any(|case| matches!(case.verdict, Verdict::Failed | Verdict::NoExpectation)) {
        writeln!(out, "  {CYAN}hint{CYAN:#}: if the reports are right, run again with --update and read the change")?;
    }
    Ok(())
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(VALUE_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTRACT: &str = "name = \"mine\"\nextends = \"trades\"\n";
    const FILE: &str = "symbol,price,volume,timestamp\nA,1,1,2026-01-01T00:00:00Z\nA,0,1,2026-01-01T00:00:00Z\n";

    fn verdicts(path: &Path, update: bool) -> Vec<Verdict> {
        test(path, update).unwrap().cases.iter().map(|case| case.verdict).collect()
    }

    #[test]
    fn golden_files_are_made_kept_and_missed() {
        let folder = tempfile::tempdir().unwrap();
        let contract = folder.path().join("mine.toml");
        fs::write(&contract, CONTRACT).unwrap();
        assert!(test(&contract, false).unwrap_err().to_string().contains("no golden files"));
        let golden = folder.path().join("mine.golden");
        fs::create_dir(&golden).unwrap();
        fs::write(golden.join("a.csv"), FILE).unwrap();
        assert_eq!(verdicts(&contract, false), [Verdict::NoExpectation]);
        assert_eq!(verdicts(&contract, true), [Verdict::Updated]);
        assert_eq!(verdicts(&contract, true), [Verdict::Passed]);
        let place = golden.join("a.csv.expected.json");
        let written = fs::read_to_string(&place).unwrap();
        assert!(written.contains("\"non_positive_price\": 1") && !written.contains("sha256"), "{written}");
        fs::write(&place, "{ \"good\": 2 }").unwrap();
        let tested = test(&contract, false).unwrap();
        assert_eq!(tested.cases[0].verdict, Verdict::Failed);
        assert_eq!(tested.cases[0].differences[0].path, "good");
        assert_eq!((tested.passed, tested.failed), (0, 1));
        fs::remove_file(golden.join("a.csv")).unwrap();
        assert_eq!(verdicts(&contract, true), [Verdict::NoInput]);
    }
}
