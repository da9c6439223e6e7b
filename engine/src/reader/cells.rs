//! What a row holds in each column: of two values the later one, each checked.

use ahash::AHashMap;

use crate::context::Record;
use crate::scan::{Few, Odd, Read, Span};
use crate::values::Form;

use super::sources::Source;
use super::{Message, Reader, Rules};

/// A column known so far.
pub(super) struct Slot {
    pub(super) name: String,
    pub(super) form: Form,
    /// Its place among the columns of its table, by name, once they are ranked.
    pub(super) rank: u32,
    /// Where its values stand among the columns of the table, once it has any.
    pub(super) column: Option<usize>,
}

impl Slot {
    pub(super) fn is_modified_on(&self) -> bool {
        self.form == Form::Instant && self.name == "modifiedon"
    }
}

/// The columns of a table by their keys.
#[derive(Default)]
pub(super) struct Codes {
    pub(super) by_key: AHashMap<Vec<u8>, usize>,
    pub(super) ranked: bool,
}

const NONE: usize = usize::MAX;

/// What a row holds in a column, while its message is read.
#[derive(Clone, Copy, Default)]
pub(super) struct Cell {
    pub(super) row: u64,
    /// The source of the value, and that of the last label.
    pub(super) source: usize,
    pub(super) labelled_by: usize,
    pub(super) value: Span,
    pub(super) label: Option<Span>,
    pub(super) sent: bool,
}

impl Cell {
    /// Returns the cell, empty if it is of an earlier row.
    fn in_row(&mut self, row: u64) -> &mut Cell {
        if self.row != row {
            *self = Cell { row, source: NONE, labelled_by: NONE, ..Cell::default() };
        }
        self
    }
}

impl Reader {
    /// Puts the values of all sources in their columns, those of later sources over those of earlier ones.
    pub(super) fn fill_cells(&mut self, message: &Message, rules: &mut dyn Rules) -> Read<()> {
        self.row += 1;
        self.touched.clear();
        self.replaced.clear();
        let sources = std::mem::take(&mut self.sources);
        let mut total = 0;
        let mut found = Ok(());
        for (index, source) in sources.iter().enumerate() {
            let count = source.len();
            total += count;
            if count > message.limits.attributes || 3 * total > message.limits.columns {
                found = Err(Odd);
            } else {
                found = self.fill_source(message, source, index, rules);
            }
            if found.is_err() {
                break;
            }
        }
        self.sources = sources;
        found
    }

    fn fill_source(
        &mut self,
        message: &Message,
        source: &Source,
        index: usize,
        rules: &mut dyn Rules,
    ) -> Read<()> {
        match source {
            Source::Parameters(parameters) => {
                for (column, value) in parameters {
                    self.fill(message, column, *value, (index, true), rules)?;
                }
                Ok(())
            }
            Source::Record { record, sent } => {
                for at in record.attributes.0..record.attributes.1 {
                    let pair = self.lists.attributes[at];
                    self.fill(message, message.text(pair.key), pair.value, (index, *sent), rules)?;
                }
                self.fill_labels(message, record, index)
            }
        }
    }

    /// Puts a value in its column, by the source it is from and whether that counts as sent.
    fn fill(
        &mut self,
        message: &Message,
        key: &[u8],
        value: Span,
        (source, sent): (usize, bool),
        rules: &mut dyn Rules,
    ) -> Read<()> {
        let table = message.plan.table;
        let code = match self.codes.get(table).and_then(|codes| codes.by_key.get(key)) {
            Some(code) => *code,
            None => self.learn(table, key, message.text(value), rules)?,
        };
        let cell = self.cells[code].in_row(self.row);
        if cell.source == source {
            return Err(Odd);
        }
        if cell.source == NONE {
            self.touched.push(code);
        } else if message.text(cell.value) != message.text(value) {
            self.replaced.push((code, cell.value));
        }
        cell.source = source;
        cell.value = value;
        cell.label = None;
        cell.sent |= sent;
        Ok(())
    }

    /// Puts labels beside the values of their own source.
    fn fill_labels(&mut self, message: &Message, record: &Record, source: usize) -> Read<()> {
        let mut unknown = Few::default();
        for pair in &self.lists.labels[record.labels.0..record.labels.1] {
            let Some(code) = self.codes[message.plan.table].by_key.get(message.text(pair.key)) else {
                unknown.add(message.body, pair.key)?;
                continue;
            };
            let cell = self.cells[*code].in_row(self.row);
            if cell.labelled_by == source {
                return Err(Odd);
            }
            cell.labelled_by = source;
            if cell.source == source {
                cell.label = Some(pair.value);
            }
        }
        Ok(())
    }

    fn learn(&mut self, table: usize, key: &[u8], sample: &[u8], rules: &mut dyn Rules) -> Read<usize> {
        let (code, form) = rules.learn(table, key, sample).ok_or(Odd)?;
        if code != self.slots.len() {
            return Err(Odd);
        }
        while self.codes.len() <= table {
            self.codes.push(Codes::default());
        }
        let codes = &mut self.codes[table];
        codes.by_key.insert(key.to_vec(), code);
        codes.ranked = false;
        let name = String::from_utf8(key.to_vec()).map_err(|_| Odd)?;
        self.slots.push(Slot { name, form: Form::of_number(form), rank: 0, column: None });
        self.cells.push(Cell::default());
        Ok(code)
    }

    pub(super) fn rank(&mut self, table: usize) {
        let Some(codes) = self.codes.get_mut(table).filter(|codes| !codes.ranked) else { return };
        codes.ranked = true;
        let mut named: Vec<usize> = codes.by_key.values().copied().collect();
        named.sort_by(|one, other| self.slots[*one].name.cmp(&self.slots[*other].name));
        for (rank, code) in named.into_iter().enumerate() {
            self.slots[code].rank = rank as u32;
        }
    }
}
