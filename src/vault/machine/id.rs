//! What the system calls this machine. It need not be secret, only different elsewhere.

/// The id that systemd and D-Bus keep, machine-id(5).
#[cfg(all(unix, not(target_os = "macos")))]
pub(super) fn read() -> Option<String> {
    ["/etc/machine-id", "/var/lib/dbus/machine-id", "/etc/hostid"].iter().find_map(|path| {
        let text = std::fs::read_to_string(path).ok()?;
        // an image not yet booted says `uninitialized`
        let id = text.trim();
        (id.len() >= 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')).then(|| id.to_owned())
    })
}

/// The hardware UUID as ioreg(8) prints it: `"IOPlatformUUID" = "…"`.
#[cfg(target_os = "macos")]
pub(super) fn read() -> Option<String> {
    let said = std::process::Command::new("/usr/sbin/ioreg").args(["-rd1", "-c", "IOPlatformExpertDevice"]).output();
    let said = String::from_utf8(said.ok()?.stdout).ok()?;
    let line = said.lines().find(|line| line.contains("IOPlatformUUID"))?;
    line.split('"').nth(3).map(str::to_owned)
}

/// `MachineGuid` of the registry, as reg.exe prints it in the last column.
#[cfg(windows)]
pub(super) fn read() -> Option<String> {
    let key = r"HKLM\SOFTWARE\Microsoft\Cryptography";
    let said = std::process::Command::new("reg").args(["query", key, "/v", "MachineGuid"]).output();
    let said = String::from_utf8(said.ok()?.stdout).ok()?;
    let line = said.lines().find(|line| line.contains("MachineGuid"))?;
    line.split_whitespace().last().map(str::to_owned)
}
