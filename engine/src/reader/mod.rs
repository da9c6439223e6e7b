//! Messages to rows: what `transforms/gather.py` and `transforms/harvest.py` do in bulk, one message at a time.

mod cells;
mod identity;
mod rows;
mod sources;

use std::sync::Arc;

use ahash::AHashMap;

use crate::context::{read_context, Context, Lists};
use crate::scan::{check, Odd, Read, Span};
use crate::tables::Rows;
use crate::values::Value;
use cells::{Cell, Codes, Slot};
use identity::{event_id, lower};
use sources::Source;

const MOST_REMEMBERED: usize = 10_000;
/// Cells of a batch beyond which its room is given back.
const MOST_CELLS: usize = 4_000_000;

pub const DELETE: u8 = 2;

/// What is to be done with messages of one name about one table.
pub struct Plan {
    pub taken: bool,
    pub op: u8,
    pub target: Vec<u8>,
    /// Parameters that are columns, and the columns.
    pub parameters: Vec<(Vec<u8>, Vec<u8>)>,
    pub table: usize,
    /// Logical name, lower case.
    pub table_name: Vec<u8>,
}

/// What only Python knows.
pub trait Rules {
    fn plan(&mut self, message: &[u8], table: &[u8]) -> Option<Plan>;
    /// Returns number and form of a column; `None` if the key is not the plain name of one.
    fn learn(&mut self, table: usize, key: &[u8], sample: &[u8]) -> Option<(usize, u8)>;
    /// Tells whether the columns of an image count.
    fn counts(&mut self, table: &[u8], alias: &[u8]) -> bool;
}

#[derive(Clone, Copy)]
pub struct Limits {
    pub attributes: usize,
    pub columns: usize,
}

pub enum Outcome {
    /// To be read by the thorough reader.
    Left,
    /// The rules do not take it.
    Skipped,
    /// A row, with the identity of its event.
    Row([u8; 32]),
}

/// Everything about a message that is read.
struct Message<'a> {
    position: usize,
    body: &'a [u8],
    context: Context,
    plan: Arc<Plan>,
    limits: Limits,
}

impl<'a> Message<'a> {
    fn text(&self, span: Span) -> &'a [u8] {
        span.of(self.body)
    }
}

#[derive(Default)]
pub struct Reader {
    plans: AHashMap<Vec<u8>, Option<Arc<Plan>>>,
    counts: AHashMap<Vec<u8>, bool>,
    codes: Vec<Codes>,
    slots: Vec<Slot>,
    cells: Vec<Cell>,
    row: u64,
    lists: Lists,
    sources: Vec<Source>,
    touched: Vec<usize>,
    /// Values that later ones replaced; they are to fit their columns all the same.
    replaced: Vec<(usize, Span)>,
    staged: Vec<(usize, Value, Option<Span>)>,
    scratch: Vec<u8>,
    key: Vec<u8>,
    pub tables: Vec<Rows>,
}

impl Reader {
    /// Reads one message; what does not fit leaves no trace.
    pub fn read(&mut self, position: usize, body: &[u8], limits: Limits, rules: &mut dyn Rules) -> Outcome {
        self.try_read(position, body, limits, rules).unwrap_or(Outcome::Left)
    }

    /// Forgets the rows, not what is known of columns; keeps the room they took unless it is much.
    pub fn clear(&mut self) {
        let cells: usize = self.tables.iter().map(|rows| rows.len() * rows.columns.len()).sum();
        if cells > MOST_CELLS {
            self.tables.clear();
            self.slots.iter_mut().for_each(|slot| slot.column = None);
        } else {
            self.tables.iter_mut().for_each(Rows::clear);
        }
    }

    fn try_read(
        &mut self,
        position: usize,
        body: &[u8],
        limits: Limits,
        rules: &mut dyn Rules,
    ) -> Read<Outcome> {
        check(body)?;
        self.lists.clear();
        let context = read_context(body, &mut self.lists)?;
        let plan = self.plan(context.message.of(body), context.table.of(body), rules).ok_or(Odd)?;
        if !plan.taken {
            return Ok(Outcome::Skipped);
        }
        let message = Message { position, body, context, plan, limits };
        let mut id = [0; 36];
        let primary = lower(message.text(context.primary_id), &mut id).ok_or(Odd)?;
        if context.depth.unsigned_abs() >= 1 << 31 {
            return Err(Odd);
        }
        let row_id = self.find_sources(&message, primary, rules)?;
        self.fill_cells(&message, rules)?;
        let occurred = self.read_values(&message)?;
        let event = event_id(&message, primary)?;
        self.add_row(&message, &row_id, &event, occurred)?;
        Ok(Outcome::Row(event))
    }

    fn plan(&mut self, message: &[u8], table: &[u8], rules: &mut dyn Rules) -> Option<Arc<Plan>> {
        two_part(&mut self.key, message, table);
        if let Some(plan) = self.plans.get(&self.key) {
            return plan.clone();
        }
        if self.plans.len() > MOST_REMEMBERED {
            self.plans.clear();
        }
        let plan = rules.plan(message, table).map(Arc::new);
        self.plans.insert(self.key.clone(), plan.clone());
        plan
    }
}

/// Makes one key of two texts; the first holds no zero byte, or the plan would not be asked for.
fn two_part(key: &mut Vec<u8>, one: &[u8], other: &[u8]) {
    key.clear();
    key.extend_from_slice(one);
    key.push(0);
    key.extend_from_slice(other);
}
