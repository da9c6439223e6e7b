//! The rows of one table: the columns every row has, and those of its attributes.

use crate::columns::{Column, TextColumn};

/// What is known of a row beside its attributes.
pub struct Told<'a> {
    pub position: usize,
    pub id: &'a [u8],
    pub event: &'a [u8],
    pub op: u8,
    pub message: &'a [u8],
    pub occurred: i64,
    pub correlation_id: Option<&'a [u8]>,
    pub operation_id: Option<&'a [u8]>,
    pub user_id: Option<&'a [u8]>,
    pub initiating_user_id: Option<&'a [u8]>,
    pub organization: Option<&'a [u8]>,
    pub depth: i64,
}

/// Columns of text beside the data, by number.
pub const TEXTS: usize = 9;
pub const CHANGED: usize = 8;

#[derive(Default)]
pub struct Rows {
    pub positions: Vec<i32>,
    pub ops: Vec<u8>,
    pub occurred: Vec<i64>,
    pub depths: Vec<i64>,
    /// Id, event, message, correlation, operation, user, initiating user, organization, changed.
    pub texts: [TextColumn; TEXTS],
    pub columns: Vec<(usize, Column)>,
}

impl Rows {
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Forgets the rows, not the room they took.
    pub fn clear(&mut self) {
        self.positions.clear();
        self.ops.clear();
        self.occurred.clear();
        self.depths.clear();
        self.texts.iter_mut().for_each(TextColumn::clear);
        self.columns.iter_mut().for_each(|(_, column)| column.clear());
    }

    /// Adds what is known of a row; the text of what changed follows by [`Rows::changed`].
    pub fn add(&mut self, told: &Told) {
        self.positions.push(told.position as i32);
        self.ops.push(told.op);
        self.occurred.push(told.occurred);
        self.depths.push(told.depth);
        let texts = [
            Some(told.id),
            Some(told.event),
            Some(told.message),
            told.correlation_id,
            told.operation_id,
            told.user_id,
            told.initiating_user_id,
            told.organization,
        ];
        for (column, text) in self.texts.iter_mut().zip(texts) {
            column.push(text);
        }
    }

    /// Adds the JSON list of the columns that were sent, in order.
    pub fn changed<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let column = &mut self.texts[CHANGED];
        column.data.push(b'[');
        for (index, name) in names.enumerate() {
            column.data.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
            column.data.extend_from_slice(name.as_bytes());
            column.data.push(b'"');
        }
        column.data.push(b']');
        column.close(true);
    }
}
