//! An execution context taken apart: spans of the body, in lists that are used again.

use crate::scan::{Cursor, Few, Odd, Read, Span};

pub const ENTITY: &[u8] = br#"{"__type":"Entity:http:\/\/schemas.microsoft.com\/xrm\/2011\/Contracts","#;
pub const REFERENCE: &[u8] =
    br#"{"__type":"EntityReference:http:\/\/schemas.microsoft.com\/xrm\/2011\/Contracts","Id":"#;

/// A key and its value.
#[derive(Clone, Copy)]
pub struct Pair {
    pub key: Span,
    pub value: Span,
}

/// An entity: its id, and where its pairs stand in [`Lists`].
#[derive(Clone, Copy)]
pub struct Record {
    pub id: Span,
    pub attributes: (usize, usize),
    pub labels: (usize, usize),
}

impl Record {
    /// Tells whether it has no attributes.
    pub fn is_empty(&self) -> bool {
        self.attributes.0 == self.attributes.1
    }
}

/// A parameter or an image; `record` tells where its entity stands in [`Lists`].
#[derive(Clone, Copy)]
pub struct Named {
    pub key: Span,
    pub value: Span,
    pub record: Option<usize>,
}

#[derive(Default)]
pub struct Lists {
    pub inputs: Vec<Named>,
    pub pre: Vec<Named>,
    pub post: Vec<Named>,
    pub records: Vec<Record>,
    pub attributes: Vec<Pair>,
    pub labels: Vec<Pair>,
}

impl Lists {
    pub fn clear(&mut self) {
        self.inputs.clear();
        self.pre.clear();
        self.post.clear();
        self.records.clear();
        self.attributes.clear();
        self.labels.clear();
    }
}

#[derive(Clone, Copy, Default)]
pub struct Context {
    pub correlation_id: Option<Span>,
    pub depth: i64,
    pub initiating_user_id: Option<Span>,
    pub message: Span,
    pub mode: i64,
    pub created_on: Span,
    pub operation_id: Span,
    pub organization: Option<Span>,
    pub step_id: Span,
    pub primary_id: Span,
    pub table: Span,
    pub user_id: Option<Span>,
}

/// Members of a context in the order the serializer writes them, and whether rows need them.
const MEMBERS: [(&[u8], bool); 30] = [
    (b"BusinessUnitId", false),
    (b"CorrelationId", true),
    (b"Depth", true),
    (b"InitiatingUserAgent", false),
    (b"InitiatingUserAzureActiveDirectoryObjectId", false),
    (b"InitiatingUserId", true),
    (b"InputParameters", true),
    (b"IsExecutingOffline", false),
    (b"IsInTransaction", false),
    (b"IsOfflinePlayback", false),
    (b"IsolationMode", false),
    (b"MessageName", true),
    (b"Mode", true),
    (b"OperationCreatedOn", true),
    (b"OperationId", true),
    (b"OrganizationId", false),
    (b"OrganizationName", true),
    (b"OutputParameters", false),
    (b"OwningExtension", true),
    (b"ParentContext", false),
    (b"PostEntityImages", true),
    (b"PreEntityImages", true),
    (b"PrimaryEntityId", true),
    (b"PrimaryEntityName", true),
    (b"RequestId", false),
    (b"SecondaryEntityName", false),
    (b"SharedVariables", false),
    (b"Stage", false),
    (b"UserAzureActiveDirectoryObjectId", false),
    (b"UserId", true),
];
const ENTITY_MEMBERS: [(&[u8], bool); 12] = [
    (b"Attributes", true),
    (b"EntityState", false),
    (b"FormattedValues", true),
    (b"HasLazyFileAttribute", false),
    (b"Id", true),
    (b"KeyAttributes", false),
    (b"LazyFileAttributeKey", false),
    (b"LazyFileAttributeValue", false),
    (b"LazyFileSizeAttributeKey", false),
    (b"LogicalName", true),
    (b"RelatedEntities", false),
    (b"RowVersion", false),
];
const STEP_MEMBERS: [(&[u8], bool); 5] = [
    (b"Id", true),
    (b"KeyAttributes", false),
    (b"LogicalName", false),
    (b"Name", false),
    (b"RowVersion", false),
];

/// Reads the members of an object behind its opening, each known one once and in order.
///
/// `read` gets the number of a known member and reads its value.  A member that
/// is unknown is read over: servers add some.
fn members<'a, const N: usize>(
    cursor: &mut Cursor<'a>,
    known: &[(&[u8], bool); N],
    mut read: impl FnMut(&mut Cursor<'a>, usize) -> Read<()>,
) -> Read<()> {
    let (mut next, mut missing) = (0, 0_u64);
    let mut unknown = Few::default();
    for (index, (_, needed)) in known.iter().enumerate() {
        missing |= u64::from(*needed) << index;
    }
    loop {
        let name = cursor.plain()?;
        let text = name.of(cursor.body);
        cursor.expect(b":")?;
        if let Some(index) = (next..N).find(|index| known[*index].0 == text) {
            next = index + 1;
            missing &= !(1 << index);
            read(cursor, index)?;
        } else {
            let out_of_order = known[..next].iter().any(|(each, _)| *each == text);
            let fair = text.first().is_some_and(u8::is_ascii_alphabetic)
                && text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
            if out_of_order || !fair {
                return Err(Odd);
            }
            unknown.add(cursor.body, name)?;
            cursor.value()?;
        }
        if !cursor.goes_on(b'}')? {
            return if missing == 0 { Ok(()) } else { Err(Odd) };
        }
    }
}

/// Reads a context; what it holds of lists goes to `lists`, which must be empty.
pub fn read_context(body: &[u8], lists: &mut Lists) -> Read<Context> {
    let mut found = Context::default();
    let mut cursor = Cursor::new(body);
    cursor.expect(b"{")?;
    members(&mut cursor, &MEMBERS, |cursor, member| {
        match member {
            1 => found.correlation_id = cursor.plain_or_null()?,
            2 => found.depth = cursor.integer()?,
            5 => found.initiating_user_id = cursor.plain_or_null()?,
            6 => named(cursor, lists, |lists| &mut lists.inputs, true)?,
            7..=9 => flag(cursor)?,
            10 | 27 => drop(cursor.integer()?),
            11 => found.message = cursor.plain()?,
            12 => found.mode = cursor.integer()?,
            13 => found.created_on = cursor.value()?,
            14 => found.operation_id = cursor.plain()?,
            16 => found.organization = cursor.plain_or_null()?,
            18 => found.step_id = step(cursor)?,
            20 => named(cursor, lists, |lists| &mut lists.post, false)?,
            21 => named(cursor, lists, |lists| &mut lists.pre, false)?,
            22 => found.primary_id = cursor.plain()?,
            23 => found.table = cursor.plain()?,
            29 => found.user_id = cursor.plain_or_null()?,
            _ => drop(cursor.value()?),
        }
        Ok(())
    })?;
    cursor.end()?;
    Ok(found)
}

fn flag(cursor: &mut Cursor) -> Read<()> {
    if cursor.take_if(b"true") {
        return Ok(());
    }
    cursor.expect(b"false")
}

fn step(cursor: &mut Cursor) -> Read<Span> {
    let mut id = Span::default();
    cursor.expect(b"{")?;
    members(cursor, &STEP_MEMBERS, |cursor, member| {
        if member == 0 {
            id = cursor.plain()?;
        } else {
            cursor.value()?;
        }
        Ok(())
    })?;
    Ok(id)
}

/// Reads parameters, whose entities tell their type, or images, whose entities do not.
fn named(
    cursor: &mut Cursor,
    lists: &mut Lists,
    list: fn(&mut Lists) -> &mut Vec<Named>,
    typed: bool,
) -> Read<()> {
    cursor.expect(b"[")?;
    if cursor.take_if(b"]") {
        return Ok(());
    }
    loop {
        cursor.expect(b"{\"key\":")?;
        let key = cursor.plain()?;
        cursor.expect(b",\"value\":")?;
        let from = cursor.at as u32;
        let is_record = if typed { cursor.take_if(ENTITY) } else { cursor.take_if(b"{") };
        let record = if is_record {
            let record = entity(cursor, lists)?;
            lists.records.push(record);
            Some(lists.records.len() - 1)
        } else {
            cursor.value()?;
            None
        };
        let value = Span { from, to: cursor.at as u32 };
        cursor.expect(b"}")?;
        list(lists).push(Named { key, value, record });
        if !cursor.goes_on(b']')? {
            return Ok(());
        }
    }
}

/// Reads an entity behind its opening.
fn entity(cursor: &mut Cursor, lists: &mut Lists) -> Read<Record> {
    let mut found = Record { id: Span::default(), attributes: (0, 0), labels: (0, 0) };
    members(cursor, &ENTITY_MEMBERS, |cursor, member| {
        match member {
            0 => found.attributes = pairs(cursor, &mut lists.attributes, |cursor| cursor.value())?,
            2 => found.labels = pairs(cursor, &mut lists.labels, |cursor| cursor.string())?,
            4 => found.id = cursor.plain()?,
            9 => drop(cursor.plain()?),
            _ => drop(cursor.value()?),
        }
        Ok(())
    })?;
    if found.is_empty() && found.labels.0 != found.labels.1 {
        return Err(Odd);
    }
    Ok(found)
}

fn pairs<'a>(
    cursor: &mut Cursor<'a>,
    out: &mut Vec<Pair>,
    read: fn(&mut Cursor<'a>) -> Read<Span>,
) -> Read<(usize, usize)> {
    let begin = out.len();
    cursor.expect(b"[")?;
    if cursor.take_if(b"]") {
        return Ok((begin, begin));
    }
    loop {
        cursor.expect(b"{\"key\":")?;
        let key = cursor.plain()?;
        cursor.expect(b",\"value\":")?;
        let value = read(cursor)?;
        cursor.expect(b"}")?;
        out.push(Pair { key, value });
        if !cursor.goes_on(b']')? {
            return Ok((begin, out.len()));
        }
    }
}

/// The parts of a lookup.
pub struct Reference {
    pub id: Span,
    pub table: Span,
    pub name: Option<Span>,
}

/// Reads a lookup without alternate key that stands at `span`.
pub fn read_reference(body: &[u8], span: Span) -> Read<Reference> {
    let mut cursor = Cursor { body: &body[..span.to as usize], at: span.from as usize };
    cursor.expect(REFERENCE)?;
    let id = cursor.plain()?;
    if !crate::strings::is_guid(id.of(body)) {
        return Err(Odd);
    }
    cursor.expect(br#","KeyAttributes":[],"LogicalName":"#)?;
    let table = cursor.plain()?;
    cursor.expect(br#","Name":"#)?;
    let name = if cursor.take_if(b"null") { None } else { Some(cursor.string()?) };
    cursor.expect(br#","RowVersion":null}"#)?;
    cursor.end()?;
    Ok(Reference { id, table, name })
}
