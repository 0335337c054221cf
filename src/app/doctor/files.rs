//! The home's folders and files, and the price table.

use std::path::Path;

use crate::catalog::price_check::{self, FindingKind};
use crate::cli::doctor::Finding;
use crate::config::{Paths, pricing};
use crate::kit::file::{check_private, private_dir};

/// Prices checked longer ago are stale.
const STALE_DAYS: u32 = 90;

/// Whether the folders are private and can be written, and the files private.
pub(super) fn look(paths: &Paths) -> Vec<Finding> {
    const CHECK: &str = "home";
    let mut findings = Vec::new();
    let folders = [&paths.config, &paths.state, &paths.data, &paths.run];
    for folder in folders.into_iter().filter(|folder| folder.is_dir()) {
        if let Err(error) = private_dir(folder) {
            findings.push(Finding::fail(CHECK, error.to_string(), "no gateway starts on it before that"));
        } else if *folder != paths.config
            && let Err(error) = tempfile::tempfile_in(folder)
        {
            let says = format!("{} cannot be written: {error}", folder.display());
            findings.push(Finding::fail(CHECK, says, "make room and make it writable for you"));
        }
    }
    let private: Vec<_> = folders.into_iter().flat_map(|folder| private_files(folder)).collect();
    findings.extend(private.into_iter().map(|says| Finding::fail(CHECK, says, "")));
    if findings.is_empty() {
        let there = folders.into_iter().filter(|folder| folder.is_dir()).count();
        findings.push(match there {
            0 => Finding::ok(CHECK, "nothing there yet; the first start makes it"),
            _ => Finding::ok(CHECK, format!("private, and writable ({})", paths.data.display())),
        });
    }
    findings
}

/// What is wrong with the files of a folder: any that others may read. What cannot be listed is told of elsewhere.
fn private_files(folder: &Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    // sockets ask who connects
    let files = files.filter(|path| path.is_file());
    files.filter_map(|path| check_private(&path).err()).map(|error| error.to_string()).collect()
}

/// Whether the price table can be read, and how old it is.
pub(super) fn prices(paths: &Paths) -> Vec<Finding> {
    const CHECK: &str = "prices";
    let prices = match pricing::prices(paths) {
        Ok(prices) => prices,
        Err(error) => {
            return vec![Finding::fail(CHECK, error.to_string(), "mend the file; calls are not priced by it")];
        }
    };
    let models: usize = prices.sheets().values().map(|sheet| sheet.models.len()).sum();
    let today = crate::app::prices::today();
    let found = price_check::check(&prices, today, STALE_DAYS);
    let stale = found.iter().filter(|finding| finding.kind == FindingKind::Stale).count();
    vec![match stale {
        0 => Finding::ok(CHECK, format!("{models} models, all checked within {STALE_DAYS} days")),
        _ => Finding::warn(
            CHECK,
            format!("{stale} of {models} models were checked more than {STALE_DAYS} days ago, or nobody wrote when"),
            "see which: keywheel price check; bring them up: keywheel price import FILE",
        ),
    }]
}
