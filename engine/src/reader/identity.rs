//! Ids: of rows, and of events.

use crate::scan::{Odd, Read};
use crate::strings::is_guid;

use super::Message;

pub(super) const NO_ID: &[u8] = b"00000000-0000-0000-0000-000000000000";

/// Writes a GUID in lower case; `None` if the text is none.
pub(super) fn lower<'a>(text: &[u8], into: &'a mut [u8; 36]) -> Option<&'a [u8]> {
    if text.len() != into.len() {
        return None;
    }
    into.copy_from_slice(text);
    into.make_ascii_lowercase();
    is_guid(into).then_some(&into[..])
}

/// Writes a short ASCII text in lower case.
pub(super) fn lowered<'a>(text: &[u8], into: &'a mut [u8; 64]) -> Option<&'a [u8]> {
    if text.len() > into.len() || !text.is_ascii() {
        return None;
    }
    let into = &mut into[..text.len()];
    into.copy_from_slice(text);
    into.make_ascii_lowercase();
    Some(into)
}

/// Returns the identity of an event, by the rule of `transforms/identity.py`.
pub(super) fn event_id(message: &Message, primary: &[u8]) -> Read<[u8; 32]> {
    let (context, plan) = (&message.context, &message.plan);
    let (mut job, mut step) = ([0; 64], [0; 64]);
    let job = lowered(message.text(context.operation_id), &mut job).ok_or(Odd)?;
    let step = lowered(message.text(context.step_id), &mut step).ok_or(Odd)?;
    let mut hash = blake2b_simd::Params::new().hash_length(16).to_state();
    if context.mode != 1 || job.is_empty() || job == NO_ID {
        hash.update(message.body);
    } else {
        let told = [job, step, message.text(context.message), &plan.table_name, primary];
        for (index, each) in told.iter().enumerate() {
            if index > 0 {
                hash.update(b"\n");
            }
            hash.update(each);
        }
    }
    let mut digits = [0; 32];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(hash.finalize().as_bytes()) {
        pair[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
        pair[1] = b"0123456789abcdef"[usize::from(byte & 15)];
    }
    Ok(digits)
}
