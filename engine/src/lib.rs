//! The compiled flattener of cdsbridge: messages of the usual form to columns, exactly or not at all.

#![deny(unsafe_code)]

mod columns;
mod context;
mod reader;
mod scan;
mod strings;
mod tables;
mod values;

use std::panic::{catch_unwind, AssertUnwindSafe};

use bytemuck::cast_slice;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

use columns::{Column, Fixed, FixedColumn, Own, TextColumn};
use reader::{Limits, Outcome, Plan, Reader, Rules};
use tables::Rows;

/// Arrow buffers: validity, `None` where no row is null; offsets, of texts only; data.
type Buffers<'py> = (Option<Bound<'py, PyBytes>>, Option<Bound<'py, PyBytes>>, Bound<'py, PyBytes>);

/// Number and form of a column, its own buffers, those of its labels and of its target tables.
type ReadColumn<'py> = (usize, u8, Buffers<'py>, Option<Buffers<'py>>, Option<Buffers<'py>>);

/// Number of a table; positions, operations, instants and depths of its rows; texts beside the data; columns.
type ReadTable<'py> = (
    usize,
    Bound<'py, PyBytes>,
    Bound<'py, PyBytes>,
    Bound<'py, PyBytes>,
    Bound<'py, PyBytes>,
    Vec<Buffers<'py>>,
    Vec<ReadColumn<'py>>,
);

/// Asks Python, and keeps what it raised.
struct Asking<'a, 'py> {
    py: Python<'py>,
    plan: &'a Py<PyAny>,
    learn: &'a Py<PyAny>,
    counts: &'a Py<PyAny>,
    raised: Option<PyErr>,
}

type AnswerOfPlan = Option<(bool, u8, String, Vec<(String, String)>, usize, String)>;

impl Asking<'_, '_> {
    fn kept<T: Default>(&mut self, answer: PyResult<T>) -> T {
        answer.unwrap_or_else(|error| {
            self.raised = Some(error);
            T::default()
        })
    }
}

fn text(bytes: &[u8]) -> PyResult<&str> {
    std::str::from_utf8(bytes).map_err(|error| PyRuntimeError::new_err(error.to_string()))
}

impl Rules for Asking<'_, '_> {
    fn plan(&mut self, message: &[u8], table: &[u8]) -> Option<Plan> {
        let answer = (|| -> PyResult<AnswerOfPlan> {
            self.plan.call1(self.py, (text(message)?, text(table)?))?.extract(self.py)
        })();
        let (taken, op, target, parameters, table, table_name) = self.kept(answer)?;
        let parameters =
            parameters.into_iter().map(|(name, column)| (name.into_bytes(), column.into_bytes()));
        Some(Plan {
            taken,
            op,
            target: target.into_bytes(),
            parameters: parameters.collect(),
            table,
            table_name: table_name.into_bytes(),
        })
    }

    fn learn(&mut self, table: usize, key: &[u8], sample: &[u8]) -> Option<(usize, u8)> {
        let answer = (|| -> PyResult<Option<(usize, u8)>> {
            let sample = PyBytes::new(self.py, sample);
            self.learn.call1(self.py, (table, text(key)?, sample))?.extract(self.py)
        })();
        self.kept(answer)
    }

    fn counts(&mut self, table: &[u8], alias: &[u8]) -> bool {
        let answer = (|| -> PyResult<bool> {
            self.counts.call1(self.py, (text(table)?, text(alias)?))?.extract(self.py)
        })();
        self.kept(answer)
    }
}

#[pyclass]
struct Engine {
    reader: Reader,
    plan: Py<PyAny>,
    learn: Py<PyAny>,
    counts: Py<PyAny>,
    limits: Limits,
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (plan, learn, counts, *, attributes, columns))]
    fn new(plan: Py<PyAny>, learn: Py<PyAny>, counts: Py<PyAny>, attributes: usize, columns: usize) -> Self {
        Engine { reader: Reader::default(), plan, learn, counts, limits: Limits { attributes, columns } }
    }

    /// Reads bodies; `None` stands for one that is to be passed by.
    fn read<'py>(
        &mut self,
        py: Python<'py>,
        bodies: &Bound<'py, PyList>,
    ) -> PyResult<(Bound<'py, PyList>, Vec<ReadTable<'py>>)> {
        catch_unwind(AssertUnwindSafe(|| {
            let outcomes = self.outcomes(py, bodies)?;
            let tables = finished(py, &mut self.reader);
            self.reader.clear();
            Ok((outcomes, tables))
        }))
        .unwrap_or_else(|_| Err(PyRuntimeError::new_err("the compiled flattener failed")))
    }
}

impl Engine {
    fn outcomes<'py>(
        &mut self,
        py: Python<'py>,
        bodies: &Bound<'py, PyList>,
    ) -> PyResult<Bound<'py, PyList>> {
        let outcomes = PyList::empty(py);
        let mut rules =
            Asking { py, plan: &self.plan, learn: &self.learn, counts: &self.counts, raised: None };
        for (position, body) in bodies.iter().enumerate() {
            let outcome = match body.cast::<PyBytes>() {
                Ok(body) => self.reader.read(position, body.as_bytes(), self.limits, &mut rules),
                Err(_) => Outcome::Left,
            };
            if let Some(error) = rules.raised.take() {
                return Err(error);
            }
            match outcome {
                Outcome::Left => outcomes.append(py.None())?,
                Outcome::Skipped => outcomes.append("")?,
                Outcome::Row(event) => outcomes.append(PyString::new(py, text(&event)?))?,
            }
        }
        Ok(outcomes)
    }
}

fn finished<'py>(py: Python<'py>, reader: &mut Reader) -> Vec<ReadTable<'py>> {
    let tables = reader.tables.iter_mut().enumerate().filter(|(_, rows)| rows.len() > 0);
    tables.map(|(number, rows)| finished_table(py, number, rows)).collect()
}

fn finished_table<'py>(py: Python<'py>, number: usize, rows: &mut Rows) -> ReadTable<'py> {
    let length = rows.len();
    let held = rows.columns.iter_mut().filter(|(_, column)| column.holds_any());
    let columns = held.map(|(code, column)| {
        column.finish(length);
        finished_column(py, *code, column)
    });
    let columns = columns.collect();
    (
        number,
        PyBytes::new(py, cast_slice(&rows.positions)),
        PyBytes::new(py, &rows.ops),
        PyBytes::new(py, cast_slice(&rows.occurred)),
        PyBytes::new(py, cast_slice(&rows.depths)),
        rows.texts.iter().map(|column| texts(py, column)).collect(),
        columns,
    )
}

fn finished_column<'py>(py: Python<'py>, code: usize, column: &Column) -> ReadColumn<'py> {
    let own = match &column.own {
        Own::Text(column) => texts(py, column),
        Own::Fixed(column) => fixed(py, column),
    };
    let beside = |column: &TextColumn| (column.held.held > 0).then(|| texts(py, column));
    (code, column.form as u8, own, beside(&column.labels), beside(&column.targets))
}

fn texts<'py>(py: Python<'py>, column: &TextColumn) -> Buffers<'py> {
    let offsets = PyBytes::new(py, cast_slice(&column.offsets));
    (validity(py, &column.held), Some(offsets), PyBytes::new(py, &column.data))
}

fn fixed<'py>(py: Python<'py>, column: &FixedColumn) -> Buffers<'py> {
    let data = match &column.values {
        Fixed::Whole(values) => cast_slice(values),
        Fixed::Decimal(values) => cast_slice(values),
        Fixed::Double(values) => cast_slice(values),
        Fixed::Days(values) => cast_slice(values),
        Fixed::Flag(values) => values.bytes(),
    };
    (validity(py, &column.held), None, PyBytes::new(py, data))
}

fn validity<'py>(py: Python<'py>, held: &columns::Held) -> Option<Bound<'py, PyBytes>> {
    (held.held < held.rows()).then(|| PyBytes::new(py, held.bits.bytes()))
}

#[cfg(target_endian = "big")]
compile_error!("Arrow's buffers are little-endian");

#[pymodule]
fn cdsbridge_engine(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<Engine>()
}
