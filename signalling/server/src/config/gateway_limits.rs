//! Table `gateway`: what one person's WebSockets may send, and what is kept for them.

use messaging::gateway::{Limits, Rate};
use serde::{Deserialize, Serialize};

use super::ConfigError;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawGateway {
    pub frames_per_second: u32,
    pub frames_per_second_per_person: u32,
    pub connections_per_person: usize,
    pub kept_bytes_per_person: usize,
}

impl Default for RawGateway {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            frames_per_second: limits.socket.per_second,
            frames_per_second_per_person: limits.person.per_second,
            connections_per_person: limits.connections_per_person,
            kept_bytes_per_person: limits.kept_bytes_per_person,
        }
    }
}

pub(super) fn resolve(raw: &RawGateway, errors: &mut Vec<ConfigError>) -> Limits {
    let (socket, person) = (raw.frames_per_second, raw.frames_per_second_per_person);
    let ranges = [
        // Below it a call's own messages are refused.
        ("gateway.frames_per_second", u64::from(socket), 10, 10_000),
        (
            "gateway.frames_per_second_per_person",
            u64::from(person),
            u64::from(socket),
            100_000,
        ),
        (
            "gateway.connections_per_person",
            u64::try_from(raw.connections_per_person).unwrap_or(u64::MAX),
            1,
            10_000,
        ),
        (
            "gateway.kept_bytes_per_person",
            u64::try_from(raw.kept_bytes_per_person).unwrap_or(u64::MAX),
            64 * 1024,
            1 << 30,
        ),
    ];
    for (key, value, low, high) in ranges {
        if !(low..=high).contains(&value) {
            errors.push(ConfigError::Range {
                key,
                value,
                low,
                high,
            });
        }
    }
    Limits {
        socket: Rate::per_second(socket),
        person: Rate::per_second(person),
        connections_per_person: raw.connections_per_person,
        kept_bytes_per_person: raw.kept_bytes_per_person,
        ..Limits::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    #[test]
    fn what_is_written_is_what_the_gateway_gets() {
        let text = "[gateway]\nframes_per_second = 20\nframes_per_second_per_person = 30\n\
            connections_per_person = 3\nkept_bytes_per_person = 70000\n";
        let limits = Config::read(text, &|_| None).unwrap().gateway;
        assert_eq!((limits.socket.per_second, limits.socket.burst), (20, 80));
        assert_eq!((limits.person.per_second, limits.person.burst), (30, 120));
        assert_eq!(limits.connections_per_person, 3);
        assert_eq!(limits.kept_bytes_per_person, 70_000);
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::new(dir.path());
        config.gateway = limits;
        assert_eq!(crate::admin::chat_config(&config).unwrap().gateway, limits);
    }

    #[test]
    fn limits_under_which_nobody_could_work_are_refused() {
        let text = "[gateway]\nframes_per_second = 20\nframes_per_second_per_person = 19\n\
            connections_per_person = 0\nkept_bytes_per_person = 1\n";
        let told = Config::read(text, &|_| None).unwrap_err().to_string();
        for key in [
            "`gateway.frames_per_second_per_person` is `19`: it must be 20 to 100000",
            "gateway.connections_per_person",
            "gateway.kept_bytes_per_person",
        ] {
            assert!(told.contains(key), "{told}");
        }
    }
}
