//! What tells of a row's columns: the target, parameters and images.

use crate::context::{read_reference, Named, Record};
use crate::scan::{Odd, Read, Span};

use super::identity::{lower, NO_ID};
use super::{two_part, Message, Reader, Rules, DELETE, MOST_REMEMBERED};

const MOST_SOURCES: usize = 8;
/// Parameters of a message, or images of one kind; they are compared with one another.
const MOST_NAMED: usize = 64;

/// What tells of a row's columns: an entity, or parameters that are columns.
pub(super) enum Source {
    Record { record: Record, sent: bool },
    Parameters(Vec<(Vec<u8>, Span)>),
}

impl Source {
    pub(super) fn len(&self) -> usize {
        match self {
            Source::Record { record, .. } => record.attributes.1 - record.attributes.0,
            Source::Parameters(parameters) => parameters.len(),
        }
    }
}

impl Reader {
    /// Finds the sources of a row's columns, later ones last; returns the id of the row.
    pub(super) fn find_sources(
        &mut self,
        message: &Message,
        primary: &[u8],
        rules: &mut dyn Rules,
    ) -> Read<[u8; 36]> {
        let (row_id, of_target) = self.target(message, primary)?;
        self.sources.clear();
        if message.plan.op == DELETE {
            let images = std::mem::take(&mut self.lists.pre);
            let found = self.add_images(message, &images, &row_id, true, rules);
            self.lists.pre = images;
            found?;
        }
        self.sources.extend(of_target.map(|record| Source::Record { record, sent: true }));
        let parameters = self.parameters(message);
        if !parameters.is_empty() {
            self.sources.push(Source::Parameters(parameters));
        }
        let images = std::mem::take(&mut self.lists.post);
        let found = self.add_images(message, &images, &row_id, false, rules);
        self.lists.post = images;
        found?;
        if self.sources.len() > MOST_SOURCES {
            return Err(Odd);
        }
        Ok(row_id)
    }

    /// Returns the id of the row, and the target where it is an entity with attributes.
    fn target(&self, message: &Message, primary: &[u8]) -> Read<([u8; 36], Option<Record>)> {
        named_once(message, &self.lists.inputs)?;
        let target = self.input(message, &message.plan.target).ok_or(Odd)?;
        let record = target.record.map(|index| self.lists.records[index]);
        let own = match record {
            Some(record) => record.id,
            None => read_reference(message.body, target.value)?.id,
        };
        let mut row_id = [0; 36];
        if primary == NO_ID {
            lower(message.text(own), &mut row_id).ok_or(Odd)?;
        } else {
            row_id.copy_from_slice(primary);
        }
        if row_id == NO_ID {
            return Err(Odd);
        }
        Ok((row_id, record.filter(|record| !record.is_empty())))
    }

    fn input(&self, message: &Message, name: &[u8]) -> Option<Named> {
        self.lists.inputs.iter().find(|input| message.text(input.key) == name).copied()
    }

    /// Returns the parameters that are columns: the column and the value.
    fn parameters(&self, message: &Message) -> Vec<(Vec<u8>, Span)> {
        let told = message.plan.parameters.iter();
        told.filter_map(|(name, column)| self.input(message, name).map(|input| (column.clone(), input.value)))
            .collect()
    }

    fn add_images(
        &mut self,
        message: &Message,
        images: &[Named],
        row_id: &[u8],
        sent: bool,
        rules: &mut dyn Rules,
    ) -> Read<()> {
        named_once(message, images)?;
        for image in images {
            let counts = self.count(&message.plan.table_name, message.text(image.key), rules);
            if !counts || message.text(image.value) == b"null" {
                continue;
            }
            let record = self.lists.records[image.record.ok_or(Odd)?];
            let mut lowered = [0; 36];
            let id = message.text(record.id);
            if !id.is_empty() {
                let id = lower(id, &mut lowered).ok_or(Odd)?;
                if id != row_id && id != NO_ID {
                    return Err(Odd);
                }
            }
            if !record.is_empty() {
                self.sources.push(Source::Record { record, sent });
            }
        }
        Ok(())
    }

    fn count(&mut self, table: &[u8], alias: &[u8], rules: &mut dyn Rules) -> bool {
        two_part(&mut self.key, table, alias);
        if let Some(counts) = self.counts.get(&self.key) {
            return *counts;
        }
        if self.counts.len() > MOST_REMEMBERED {
            self.counts.clear();
        }
        let counts = rules.counts(table, alias);
        self.counts.insert(self.key.clone(), counts);
        counts
    }
}

/// Checks that no parameter or image stands twice.
fn named_once(message: &Message, all: &[Named]) -> Read<()> {
    let twice = |index: usize, each: &Named| {
        all[..index].iter().any(|other| message.text(other.key) == message.text(each.key))
    };
    if all.len() > MOST_NAMED || all.iter().enumerate().any(|(index, each)| twice(index, each)) {
        return Err(Odd);
    }
    Ok(())
}
