//! Who runs a command, for the account of what it changes in the catalogue.

use schemas::catalogue::Author;

/// Where the names of users stand.
const USERS: &str = "/etc/passwd";

/// The user of the system who runs this process and the host, `kim@build-7`. Told by the system and not by the environment; whoever
/// may write to the catalogue's topic could still write another name.
pub(crate) fn of_command() -> Author {
    let number = rustix::process::geteuid().as_raw();
    let users = std::fs::read_to_string(USERS).unwrap_or_default();
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    Author {
        name: format!("{}@{host}", user_of(number, &users)),
        via: "command line".to_owned(),
    }
}

/// This program, at something that nobody asked for by a command of its own.
pub(crate) fn of_program(via: &str) -> Author {
    Author {
        via: via.to_owned(),
        ..of_command()
    }
}

/// The name of a user by number among the lines of `/etc/passwd`; `uid-<number>` where it has none, as in many containers.
fn user_of(number: u32, users: &str) -> String {
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let found: u32 = fields.nth(1)?.parse().ok()?;
        (found == number).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("uid-{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_the_name_that_the_system_knows_or_a_number() {
        let users = "root:x:0:0:root:/root:/bin/bash\n:x:5:5::/:\nbroken\nkim:x:1000:1000::/home/kim:/bin/sh\n";
        assert_eq!(user_of(0, users), "root");
        assert_eq!(user_of(1000, users), "kim");
        assert_eq!(user_of(5, users), "uid-5");
        assert_eq!(user_of(10_001, ""), "uid-10001");
        assert!(of_command().name.contains('@'));
        assert_eq!(of_program("restore").via, "restore");
    }
}
