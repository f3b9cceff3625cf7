//! Table `gateway`: what one person's WebSockets may send, and what is kept for them.

use messaging::gateway::{Limits, Rate};
use settings::Check;

use super::raw::RawConfig;

pub(super) fn resolve(raw: &RawConfig, check: &mut Check<'_, RawConfig>) -> Limits {
    let gateway = &raw.gateway;
    let (socket, person) = (
        gateway.frames_per_second,
        gateway.frames_per_second_per_person,
    );
    if person < socket {
        let rule = format!("it must be {socket} to 100000");
        check.refuse("gateway.frames_per_second_per_person", rule);
    }
    Limits {
        socket: Rate::per_second(socket),
        person: Rate::per_second(person),
        connections_per_person: gateway.connections_per_person,
        kept_bytes_per_person: gateway.kept_bytes_per_person,
        ..Limits::default()
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;
    use messaging::gateway::Limits;
    use settings::{Environment, Read};

    use super::super::Config;

    fn limits(text: &str) -> anyhow::Result<Limits> {
        let read = Read::text(text, &Environment::default()).context("not TOML")?;
        Ok(Config::resolve(&read)?.gateway)
    }

    #[test]
    fn what_is_written_is_what_the_gateway_gets() {
        assert_eq!(limits("").unwrap(), Limits::default());
        let text = "[gateway]\nframes_per_second = 20\nframes_per_second_per_person = 30\n\
            connections_per_person = 3\nkept_bytes_per_person = 70000\n";
        let limits = limits(text).unwrap();
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
        let told = limits(text).unwrap_err().to_string();
        for key in [
            "`gateway.frames_per_second_per_person` is `19`: it must be 20 to 100000",
            "gateway.connections_per_person",
            "gateway.kept_bytes_per_person",
        ] {
            assert!(told.contains(key), "{told}");
        }
    }
}
