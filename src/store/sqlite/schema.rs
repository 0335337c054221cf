//! Opening the database file: private, in WAL mode, and brought to the schema that this version knows.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::super::LedgerError;
use crate::kit::file::{FileError, check_private};

/// The steps from an empty file to today's schema; step n makes `user_version` n. A released step is never edited.
const MIGRATIONS: [&str; 7] = [
    include_str!("migrations/1.sql"),
    include_str!("migrations/2.sql"),
    include_str!("migrations/3.sql"),
    include_str!("migrations/4.sql"),
    include_str!("migrations/5.sql"),
    include_str!("migrations/6.sql"),
    include_str!("migrations/7.sql"),
];

/// How long another program's lock is waited for. Below the second after which answers are released anyway.
const BUSY: Duration = Duration::from_millis(500);

/// Opens the file for writing, making it when it is missing.
pub(super) fn writer(path: &Path) -> Result<Connection, LedgerError> {
    make_private(path)?;
    let open = || {
        let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if usize::try_from(found).is_ok_and(|found| found <= MIGRATIONS.len()) {
            settle(&mut connection)?;
        }
        Ok((connection, found))
    };
    let (connection, found) = open().map_err(refused(path))?;
    let known = known();
    if found > known {
        return Err(LedgerError::Newer(path.to_owned(), found, known));
    }
    Ok(connection)
}

/// The schema that this version writes.
pub(super) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Opens the file for reading beside the writer.
pub(super) fn reader(path: &Path) -> Result<Connection, LedgerError> {
    let open = || {
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    };
    open().map_err(refused(path))
}

/// What a refusal of the database means and what to do about it.
pub(super) fn refused(path: &Path) -> impl Fn(rusqlite::Error) -> LedgerError {
    let path = path.to_owned();
    move |error| {
        let advice = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "close the program that holds it",
            Some(ErrorCode::DiskFull) => "free some disk space",
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => "move the file away and start again",
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                "make the file and its folder writable for you"
            }
            _ => "look at the disk",
        };
        LedgerError::Database(path.clone(), error.to_string(), advice)
    }
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

/// WAL with `synchronous=NORMAL`: a commit survives the end of the process, and only a checkpoint waits for the disk.
fn settle(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "normal")?;
    // a larger log is copied back less often, and pages that were written twice are copied once
    connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
    connection.pragma_update(None, "journal_size_limit", 32 << 20)?;
    let step = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // asked again under the lock: two programs may have found the same old file
    let found: i64 = step.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    for sql in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
        step.execute_batch(sql)?;
    }
    let known = known();
    if found < known {
        step.pragma_update(None, "user_version", known)?;
    }
    step.commit()
}

/// SQLite would make the file with the mask of the process; its `-wal` and `-shm` then take the mode of the file.
fn make_private(path: &Path) -> Result<(), FileError> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check_private(path),
        Err(error) => Err(FileError::Io("create", path.to_owned(), error)),
    }
}
