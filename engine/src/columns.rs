//! Columns that grow: what they hold is laid out as Arrow lays out arrays.

use crate::values::{Form, Value};

/// One bit a row, the least significant first.
#[derive(Default)]
pub struct Bits {
    bytes: Vec<u8>,
    length: usize,
}

impl Bits {
    pub fn push(&mut self, bit: bool) {
        if self.length & 7 == 0 {
            self.bytes.push(0);
        }
        if bit {
            self.bytes[self.length / 8] |= 1 << (self.length % 8);
        }
        self.length += 1;
    }

    /// Adds bits that are not set.
    fn pad(&mut self, length: usize) {
        self.length = length;
        self.bytes.resize(length.div_ceil(8), 0);
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.length = 0;
    }
}

/// Which rows hold a value; rows that were passed over hold none.
#[derive(Default)]
pub struct Held {
    pub bits: Bits,
    pub held: usize,
}

impl Held {
    fn push(&mut self, is_held: bool) {
        self.bits.push(is_held);
        self.held += usize::from(is_held);
    }

    pub fn rows(&self) -> usize {
        self.bits.length
    }

    fn clear(&mut self) {
        self.bits.clear();
        self.held = 0;
    }
}

pub struct TextColumn {
    pub held: Held,
    pub offsets: Vec<i32>,
    pub data: Vec<u8>,
}

impl Default for TextColumn {
    fn default() -> Self {
        TextColumn { held: Held::default(), offsets: vec![0], data: Vec::new() }
    }
}

impl TextColumn {
    pub fn pad(&mut self, rows: usize) {
        let end = *self.offsets.last().expect("there is always one");
        self.offsets.resize(rows + 1, end);
        self.held.bits.pad(rows);
    }

    pub fn push(&mut self, text: Option<&[u8]>) {
        self.data.extend_from_slice(text.unwrap_or_default());
        self.close(text.is_some());
    }

    /// Forgets the rows, not the room they took.
    pub fn clear(&mut self) {
        self.held.clear();
        self.offsets.truncate(1);
        self.data.clear();
    }

    /// Ends the text of a row that was written to `data`.
    pub fn close(&mut self, is_held: bool) {
        self.offsets.push(i32::try_from(self.data.len()).expect("a batch holds less than 2 GiB"));
        self.held.push(is_held);
    }
}

/// Values of one width, or single bits.
pub enum Fixed {
    Whole(Vec<i64>),
    Decimal(Vec<i128>),
    Double(Vec<f64>),
    Days(Vec<i32>),
    Flag(Bits),
}

pub struct FixedColumn {
    pub held: Held,
    pub values: Fixed,
}

impl FixedColumn {
    fn new(form: Form) -> Self {
        let values = match form {
            Form::Decimal | Form::Money => Fixed::Decimal(Vec::new()),
            Form::Double => Fixed::Double(Vec::new()),
            Form::Date => Fixed::Days(Vec::new()),
            Form::Boolean => Fixed::Flag(Bits::default()),
            _ => Fixed::Whole(Vec::new()),
        };
        FixedColumn { held: Held::default(), values }
    }

    fn clear(&mut self) {
        self.held.clear();
        match &mut self.values {
            Fixed::Whole(values) => values.clear(),
            Fixed::Decimal(values) => values.clear(),
            Fixed::Double(values) => values.clear(),
            Fixed::Days(values) => values.clear(),
            Fixed::Flag(values) => values.clear(),
        }
    }

    fn push(&mut self, value: Value) {
        self.held.push(true);
        match (&mut self.values, value) {
            (Fixed::Whole(values), Value::Whole(each)) => values.push(each),
            (Fixed::Decimal(values), Value::Decimal(each)) => values.push(each),
            (Fixed::Double(values), Value::Double(each)) => values.push(each),
            (Fixed::Days(values), Value::Days(each)) => values.push(each),
            (Fixed::Flag(values), Value::Flag(each)) => values.push(each),
            _ => unreachable!("a value is read in the form of its column"),
        }
    }

    fn pad(&mut self, rows: usize) {
        self.held.bits.pad(rows);
        match &mut self.values {
            Fixed::Whole(values) => values.resize(rows, 0),
            Fixed::Decimal(values) => values.resize(rows, 0),
            Fixed::Double(values) => values.resize(rows, 0.0),
            Fixed::Days(values) => values.resize(rows, 0),
            Fixed::Flag(values) => values.pad(rows),
        }
    }
}

pub enum Own {
    Text(TextColumn),
    Fixed(FixedColumn),
}

/// The column of an attribute, with those of its labels and of the tables lookups lead to.
pub struct Column {
    pub form: Form,
    pub own: Own,
    pub labels: TextColumn,
    pub targets: TextColumn,
}

impl Column {
    pub fn new(form: Form) -> Self {
        let own = match form {
            Form::Text | Form::Options | Form::Reference => Own::Text(TextColumn::default()),
            _ => Own::Fixed(FixedColumn::new(form)),
        };
        Column { form, own, labels: TextColumn::default(), targets: TextColumn::default() }
    }

    /// Puts a value that is not null into a row; rows before it that have none get null.
    pub fn put(&mut self, row: usize, value: Value, scratch: &[u8]) {
        self.pad_own(row);
        match (&mut self.own, value) {
            (Own::Text(column), Value::Text(text)) => column.push(Some(text.of(scratch))),
            (Own::Text(column), Value::Reference { id, table, .. }) => {
                column.push(Some(id.of(scratch)));
                self.targets.pad(row);
                self.targets.push(Some(table.of(scratch)));
            }
            (Own::Fixed(column), value) => column.push(value),
            _ => unreachable!("a value is read in the form of its column"),
        }
    }

    pub fn put_label(&mut self, row: usize, label: &[u8]) {
        self.labels.pad(row);
        self.labels.push(Some(label));
    }

    /// Gives every column that holds anything as many rows as the table has.
    pub fn finish(&mut self, rows: usize) {
        self.pad_own(rows);
        for column in [&mut self.labels, &mut self.targets] {
            if column.held.held > 0 {
                column.pad(rows);
            }
        }
    }

    /// Tells whether any row holds a value.
    pub fn holds_any(&self) -> bool {
        match &self.own {
            Own::Text(column) => column.held.held > 0,
            Own::Fixed(column) => column.held.held > 0,
        }
    }

    /// Forgets the rows, not the room they took.
    pub fn clear(&mut self) {
        match &mut self.own {
            Own::Text(column) => column.clear(),
            Own::Fixed(column) => column.clear(),
        }
        self.labels.clear();
        self.targets.clear();
    }

    fn pad_own(&mut self, rows: usize) {
        match &mut self.own {
            Own::Text(column) => column.pad(rows),
            Own::Fixed(column) => column.pad(rows),
        }
    }
}
