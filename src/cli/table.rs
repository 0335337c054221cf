//! Tables for people: columns by space, no rules between them; wrapped at a terminal's edge and never elsewhere.

use std::fmt;

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, ContentArrangement};

use super::lines;

/// A table under way.
pub struct Table(comfy_table::Table);

impl Table {
    /// An empty table under these headings.
    pub fn new<const N: usize>(headings: [&str; N]) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_style(NOTHING).set_header(headings.map(|heading| Cell::new(heading.to_uppercase())));
        match lines::width() {
            Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        table.column_iter_mut().for_each(|column| {
            column.set_padding((0, 2));
        });
        Self(table)
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.0.add_row(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.trim_fmt())
    }
}
