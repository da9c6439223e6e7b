//! The values of a row read, and the row put into its table.

use crate::columns::Column;
use crate::scan::{Odd, Read, Span};
use crate::tables::{Rows, Told};
use crate::values::{self, Form, Value};

use super::cells::Slot;
use super::identity::lowered;
use super::{Message, Reader, DELETE};

impl Reader {
    /// Reads the values of the row; returns when it occurred, in microseconds since 1970.
    pub(super) fn read_values(&mut self, message: &Message) -> Read<i64> {
        self.staged.clear();
        self.scratch.clear();
        let body = message.body;
        let mut occurred = values::milliseconds(message.text(message.context.created_on))? * 1000;
        for (code, replaced) in &self.replaced {
            read_as(&mut self.slots[*code], body, *replaced, &mut self.scratch)?;
            self.scratch.clear();
        }
        for code in &self.touched {
            let (slot, cell) = (&mut self.slots[*code], self.cells[*code]);
            let value = read_as(slot, body, cell.value, &mut self.scratch)?;
            let label = match (cell.label, value) {
                (None, _) | (_, Value::Null) => None,
                (Some(label), _) if slot.form == Form::Options => {
                    Some(values::tidy_labels(label.of(body), &mut self.scratch)?)
                }
                (Some(label), _) if slot.form.labelled() => {
                    Some(values::label(label.of(body), &mut self.scratch))
                }
                _ => None,
            };
            match value {
                Value::Null => continue,
                Value::Whole(instant) if slot.is_modified_on() && message.plan.op != DELETE => {
                    occurred = instant;
                }
                _ => {}
            }
            let named = if let Value::Reference { name, .. } = value { name.or(label) } else { label };
            self.staged.push((*code, value, named));
        }
        Ok(occurred)
    }

    pub(super) fn add_row(
        &mut self,
        message: &Message,
        row_id: &[u8],
        event: &[u8],
        occurred: i64,
    ) -> Read<()> {
        let (context, table) = (&message.context, message.plan.table);
        let told = |span: Option<Span>| span.map(|span| message.text(span)).filter(|text| !text.is_empty());
        let mut job = [0; 64];
        let job = lowered(message.text(context.operation_id), &mut job).ok_or(Odd)?;
        self.rank(table);
        while self.tables.len() <= table {
            self.tables.push(Rows::default());
        }
        let rows = &mut self.tables[table];
        let row = rows.len();
        rows.add(&Told {
            position: message.position,
            id: row_id,
            event,
            op: message.plan.op,
            message: message.text(context.message),
            occurred,
            correlation_id: told(context.correlation_id),
            operation_id: Some(job).filter(|text| !text.is_empty()),
            user_id: told(context.user_id),
            initiating_user_id: told(context.initiating_user_id),
            organization: told(context.organization),
            depth: context.depth,
        });
        for (code, value, label) in &self.staged {
            let slot = &mut self.slots[*code];
            let column = *slot.column.get_or_insert_with(|| {
                rows.columns.push((*code, Column::new(slot.form)));
                rows.columns.len() - 1
            });
            let column = &mut rows.columns[column].1;
            column.put(row, *value, &self.scratch);
            if let Some(label) = label {
                column.put_label(row, label.of(&self.scratch));
            }
        }
        self.touched.retain(|code| self.cells[*code].sent);
        self.touched.sort_unstable_by_key(|code| self.slots[*code].rank);
        rows.changed(self.touched.iter().map(|code| self.slots[*code].name.as_str()));
        Ok(())
    }
}

/// Reads a value as its column has it; the first value of a column without a form tells the form.
fn read_as(slot: &mut Slot, body: &[u8], value: Span, scratch: &mut Vec<u8>) -> Read<Value> {
    if matches!(slot.form, Form::Nothing | Form::Odd) {
        let form = Form::of_value(value.of(body));
        if form == Form::Nothing {
            return Ok(Value::Null);
        }
        if form == Form::Odd || slot.form == Form::Odd {
            return Err(Odd);
        }
        slot.form = form;
    }
    values::read(slot.form, body, value, scratch)
}
