//! What the engine takes, but the author hardly meant.

use rows::contract::{At, Check, Column, Contract, From, Kind, Syntax};
use rows::currency;
use rows::decimal::Notation;

use super::Finding;

/// Statuses that mean something.
const STATUSES: [&str; 3] = ["completed", "pending", "failed"];

/// Everything doubtful in `contract`, which was read from `text`.
pub(super) fn find(contract: &Contract, text: &str) -> Vec<Finding> {
    let mut doubts = Doubts { text, found: Vec::new() };
    doubts.comments();
    doubts.format(contract);
    for (name, column) in &contract.columns {
        doubts.column(contract, name, column);
    }
    doubts.found.sort_by_key(|finding| finding.line);
    doubts.found
}

struct Doubts<'a> {
    text: &'a str,
    found: Vec<Finding>,
}

impl Doubts<'_> {
    fn about(&mut self, section: &str, key: &str, message: impl Into<String>) {
        self.found.push(Finding::about(self.text, section, key, message));
    }

    /// Doubts that `feed infer` left and nobody settled.
    fn comments(&mut self) {
        for (index, line) in self.text.lines().enumerate() {
            if let Some(doubt) = line.trim().strip_prefix("# doubt: ") {
                let message = format!("unsettled doubt: {doubt}");
                self.found.push(Finding { line: Some(index + 1), message, hint: String::new() });
            }
        }
    }

    fn format(&mut self, contract: &Contract) {
        let format = &contract.format;
        let of_csv = [
            ("delimiter", format.delimiter.is_some()),
            ("quote", format.quote.is_some()),
            ("comment", format.comment.is_some()),
            ("header", format.header.is_some()),
            ("fields", format.fields.is_some()),
            ("skip_records", format.skip_records.is_some()),
            ("trim", format.trim.is_some()),
        ];
        let of_json = [
            ("line_prefix", format.line_prefix.is_some()),
            ("each", format.each.is_some()),
            ("where", !format.conditions.is_empty()),
        ];
        let lost: Vec<&str> = match format.kind {
            Some(Syntax::Csv) => of_json.iter().filter(|(_, set)| *set).map(|(key, _)| *key).collect(),
            Some(Syntax::Json) => of_csv.iter().filter(|(_, set)| *set).map(|(key, _)| *key).collect(),
            Some(Syntax::Table) => of_csv.iter().chain(&of_json).filter(|(_, set)| *set).map(|(key, _)| *key).collect(),
            None => Vec::new(),
        };
        for key in lost {
            self.about("format", key, format!("format.{key} has no effect on files of this type"));
        }
        if let Some(decimal) = contract.number.decimal
            && contract.number.thousands == Some(decimal)
        {
            self.about(
                "number",
                "thousands",
                format!("`{decimal}` is the decimal mark and the thousands mark at once"),
            );
        }
    }

    fn column(&mut self, contract: &Contract, name: &str, column: &Column) {
        let is_time = name == "timestamp" || column.check == Some(Check::Timestamp);
        if is_time {
            self.time(name, column);
        }
        if contract.format.header == Some(false) && contract.format.kind != Some(Syntax::Json) && by_name(column) {
            self.about("columns", name, format!("columns.{name} is looked for by name, and the file has no header"));
        }
        let own = contract.kind.required().contains(&name);
        // one with a constant may be left out by the file
        if own && column.optional == Some(true) && column.constant.is_none() {
            self.about("columns", name, format!("columns.{name}: `optional` has no effect, every row needs it"));
        }
        if column.thousands.is_some() && column.thousands == column.decimal {
            self.about(
                "columns",
                name,
                format!("columns.{name}: one mark is the decimal and the thousands mark at once"),
            );
        }
        if !own && !contract.kind.optional().contains(&name) {
            self.senders_own(name, column);
        }
        let Some(constant) = &column.constant else {
            if contract.kind == Kind::Transactions && name == "status" {
                self.statuses(column);
            }
            return;
        };
        match (contract.kind, name) {
            // of a column that may be left out, it holds in those rows alone
            (_, "price" | "amount" | "timestamp" | "open" | "high" | "low" | "close")
                if column.optional != Some(true) =>
            {
                self.about("columns", name, format!("columns.{name} is `{constant}` in every row"));
            }
            (_, "symbol" | "merchant") if constant.trim().is_empty() => {
                self.about("columns", name, format!("columns.{name} is empty in every row, so every row is refused"));
            }
            (_, "volume") if is_no_number(constant, contract, column) => {
                self.about("columns", name, format!("`{constant}` is no number as rows have, so every row is refused"));
            }
            (_, "transaction_id") => {
                self.about("columns", name, "every row has the same id, so all but the first are duplicates");
            }
            (Kind::Transactions, "currency") if currency::check(constant.as_bytes()).is_err() => {
                self.about(
                    "columns",
                    name,
                    format!("`{constant}` is no ISO 4217 code of money, so every row is refused"),
                );
            }
            (Kind::Transactions, "status") if !STATUSES.contains(&constant.as_str()) => {
                self.about(
                    "columns",
                    name,
                    format!("`{constant}` is none of {}, so every row is refused", STATUSES.join(", ")),
                );
            }
            _ => {}
        }
    }

    /// Options that do nothing for the type of a column of the sender's own, and bounds with nothing between them.
    fn senders_own(&mut self, name: &str, column: &Column) {
        let check = column.check.unwrap_or(Check::Text);
        let is_number = matches!(check, Check::Number | Check::Integer);
        let lost = [
            ("one_of", check != Check::Text && !column.one_of.is_empty()),
            ("min", !is_number && column.min.is_some()),
            ("max", !is_number && column.max.is_some()),
        ];
        for (key, _) in lost.iter().filter(|(_, is_lost)| *is_lost) {
            self.about("columns", name, format!("columns.{name}: `{key}` has no effect on values of this type"));
        }
        let bound = |text: &Option<String>| Notation::default().parse(text.as_ref()?.as_bytes()).ok();
        if let (Some(min), Some(max)) = (bound(&column.min), bound(&column.max))
            && min > max
        {
            self.about(
                "columns",
                name,
                format!("columns.{name}: `min` is greater than `max`, so every row is refused"),
            );
        }
    }

    fn time(&mut self, name: &str, column: &Column) {
        let form = column.format.as_deref().unwrap_or("iso");
        let is_pattern = form.contains('%');
        if is_pattern && !form.contains("%z") && column.zone.is_none() {
            let message =
                format!("columns.{name}: `{form}` tells no offset and no `zone` is named, so times are read as UTC");
            self.about("columns", name, message);
        }
        if form == "iso" && column.date_only == Some(true) && column.zone.is_none() {
            self.about(
                "columns",
                name,
                format!("columns.{name}: a date has no offset; without `zone` every row is refused"),
            );
        }
        let iso_only = [("space", column.space.is_some()), ("date_only", column.date_only.is_some())];
        let counts = matches!(form, "epoch" | "iso_or_epoch" | "since_midnight");
        let lost = [
            (form != "iso", iso_only.as_slice()),
            (!counts, &[("unit", column.unit.is_some())]),
            (matches!(form, "epoch" | "hours_since"), &[("zone", column.zone.is_some())]),
            (form != "since_midnight", &[("date", column.date.is_some())]),
            (form != "hours_since", &[("origin", column.origin.is_some())]),
        ];
        for (key, _) in
            lost.iter().filter(|(is_lost, _)| *is_lost).flat_map(|(_, keys)| keys.iter()).filter(|(_, set)| *set)
        {
            self.about("columns", name, format!("columns.{name}: `{key}` has no effect with format `{form}`"));
        }
    }

    fn statuses(&mut self, column: &Column) {
        for (word, status) in column.map.iter().filter(|(_, status)| !STATUSES.contains(&status.as_str())) {
            let message = format!("`{word}` is mapped to `{status}`, which is none of {}", STATUSES.join(", "));
            self.about("columns", "status", message);
        }
    }
}

/// Whether a volume that is the same in every row is one that no row may have; one with marks of its own is trusted.
fn is_no_number(constant: &str, contract: &Contract, column: &Column) -> bool {
    let number = &contract.number;
    let has_marks = column.decimal.or(number.decimal).or(column.thousands).or(number.thousands).is_some()
        || column.strip.as_ref().or(number.strip.as_ref()).is_some()
        || column.plus.or(number.plus).is_some()
        || column.scale.as_ref().or(number.scale.as_ref()).is_some();
    let plain = Notation { exponent: true, ..Notation::default() };
    !has_marks && plain.parse(constant.as_bytes()).is_err()
}

/// Whether a place of `column` is a name.
fn by_name(column: &Column) -> bool {
    let is_name = |at: &At| matches!(at, At::Name(_));
    let from = match &column.from {
        Some(From::One(at)) => is_name(at),
        Some(From::Joined(places)) => places.iter().any(is_name),
        None => false,
    };
    let amount = column.credit.iter().chain(&column.debit).chain(column.multiply.iter().flatten());
    from || amount.into_iter().any(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warned(text: &str) -> Vec<(Option<usize>, String)> {
        let contract = Contract::parse(text).unwrap();
        find(&contract, text).into_iter().map(|finding| (finding.line, finding.message)).collect()
    }

    #[test]
    fn the_built_in_contracts_are_as_they_are_meant() {
        for name in rows::contract::builtin_names() {
            let text = rows::contract::builtin_text(name).unwrap();
            for (_, message) in warned(text) {
                assert!(message.contains("read as UTC"), "{name}: {message}");
            }
        }
    }

    #[test]
    fn what_refuses_every_row_or_does_nothing_is_told() {
        let warned = |lines: &str| {
            let text = format!("name = \"x\"\nextends = \"trades\"\n[columns]\n{lines}\n");
            warned(&text).into_iter().map(|(_, message)| message).collect::<Vec<_>>().join("\n")
        };
        for (lines, expected) in [
            ("symbol = { const = \" \" }", "columns.symbol is empty"),
            ("volume = { const = \"1e400\" }", "`1e400` is no number"),
            ("volume = { const = \"\" }", "`` is no number"),
            ("side = { from = \"S\", type = \"number\", one_of = [\"a\"] }", "`one_of` has no effect"),
            ("side = { from = \"S\", max = \"1\" }", "`max` has no effect"),
            ("side = { from = \"S\", type = \"integer\", min = \"9\", max = \"1\" }", "`min` is greater"),
        ] {
            assert!(warned(lines).contains(expected), "{lines}: {}", warned(lines));
        }
        for lines in [
            "symbol = { const = \"A\" }\nvolume = { const = \"1e3\" }",
            "volume = { const = \"1,5\", decimal = \",\" }",
            "side = { from = \"S\", one_of = [\"a\"] }\nlots = { from = \"L\", type = \"number\", min = \"1\", max = \"1\" }",
        ] {
            assert_eq!(warned(lines), "", "{lines}");
        }
    }

    #[test]
    fn what_is_hardly_meant_is_told_with_its_line() {
        let text = "name = \"x\"\nkind = \"transactions\"\n[format]\ntype = \"csv\"\nheader = false\nfields = 3\neach = \"a\"\n\
                    [columns]\n# doubt: is it?\ntransaction_id = { const = \"1\" }\namount = { from = \"Amount\" }\n\
                    currency = { const = \"EURO\" }\ntimestamp = { from = 0, format = \"%d.%m.%Y\", space = true }\n\
                    merchant = { from = 1 }\nstatus = { from = 2, map = { A = \"b\" } }\n";
        let warned = warned(text);
        let lines: Vec<Option<usize>> = warned.iter().map(|(line, _)| *line).collect();
        let expected = [7, 9, 10, 11, 12, 13, 13, 15].map(Some);
        assert_eq!(lines, expected, "{warned:#?}");
    }
}
