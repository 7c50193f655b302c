//! Tables for people: columns as wide as they must be, numbers to the right.

use std::io::{Result, Write};

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

const DIM: Style = Style::new().dimmed();

/// A cell: what it says, and how it looks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(crate) fn styled(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), style: Style::new() }
    }
}

/// Prints rows under a heading; a heading that begins with `>` has its column to the right.
pub(crate) fn print(to: &mut dyn Write, heading: &[&str], rows: &[Vec<Cell>]) -> Result<()> {
    print_part(to, heading, rows, true)
}

/// Prints some rows of a table that is not in memory as a whole: the first of them under the heading. Columns are as wide as
/// these rows need.
pub(crate) fn print_part(to: &mut dyn Write, heading: &[&str], rows: &[Vec<Cell>], is_first: bool) -> Result<()> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.text.width());
        cells.max().unwrap_or(0).max(heading[column].trim_start_matches('>').width())
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let titles: Vec<Cell> = heading.iter().map(|title| Cell::styled(title.trim_start_matches('>'), DIM)).collect();
    for row in is_first.then_some(&titles).into_iter().chain(rows) {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let Cell { text, style } = cell;
            let space = " ".repeat(widths[column].saturating_sub(text.width()));
            let is_last = column + 1 == row.len();
            line.push_str(
                match (heading[column].starts_with('>'), is_last) {
                    (true, _) => format!("{space}{style}{text}{style:#}"),
                    (false, true) => format!("{style}{text}{style:#}"),
                    (false, false) => format!("{style}{text}{style:#}{space}"),
                }
                .as_str(),
            );
            if !is_last {
                line.push_str("  ");
            }
        }
        writeln!(to, "{line}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let mut out = Vec::new();
        print(&mut out, &["name", ">rows"], &[vec!["a".into(), "1".into()], vec!["日本".into(), "1,000".into()]])
            .unwrap();
        let text = String::from_utf8(out).unwrap().replace("\u{1b}[2m", "").replace("\u{1b}[0m", "");
        assert_eq!(text, "name   rows\na         1\n日本  1,000\n");
        let mut more = Vec::new();
        print_part(&mut more, &["name", ">rows"], &[vec!["b".into(), "2".into()]], false).unwrap();
        assert_eq!(String::from_utf8(more).unwrap(), "b        2\n", "the heading stands above the first part alone");
    }
}
