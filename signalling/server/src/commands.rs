//! `/call`: what is left for the server of what people write.
//!
//! Clients carry out most of it themselves before it gets here (start, join, leave, end, logs,
//! recording): then nothing is shown. Nothing that begins with `/` is ever published (`messaging`).
//! Not here: the routes (`messaging`), what a host may do (`signalling_core`).

use std::sync::Weak;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use messaging::commands::{Command, CommandHandler, Offer};
use serde_json::Value;
use signalling_core::HostControl;

use crate::door::calls::words::{Language, Told, why_not_hosted, why_not_recorded};
use crate::engine::Engine;

const TRIGGER: &str = "call";

/// Carries out `/call`. Weak, for the chat server that asks belongs to the engine.
#[derive(Debug)]
pub(crate) struct Commands(pub(crate) Weak<Engine>);

#[async_trait]
impl CommandHandler for Commands {
    fn offers(&self, locale: &str) -> Vec<Offer> {
        let language = self.language(locale);
        let offer = |name, hint, about| Offer::new(name, hint, language.say(about));
        let ways = vec![
            offer("start", "", Told::AboutRecordingStart),
            offer("stop", "", Told::AboutRecordingStop),
            offer("pause", "", Told::AboutRecordingPause),
            offer("resume", "", Told::AboutRecordingResume),
        ];
        let recording = offer(
            "recording",
            "[start|stop|pause|resume]",
            Told::AboutRecording,
        );
        let next = vec![
            offer("start", "[title]", Told::AboutStart),
            offer("join", "", Told::AboutJoin),
            offer("leave", "", Told::AboutLeave),
            offer("end", "", Told::AboutEnd),
            offer("link", "", Told::AboutLink),
            offer("stats", "", Told::AboutStats),
            offer("logs", "", Told::AboutLogs),
            recording.followed_by(ways),
            offer("host", "@username", Told::AboutHost),
        ];
        vec![offer(TRIGGER, "[command]", Told::AboutCall).followed_by(next)]
    }

    fn unknown(&self, name: &str, locale: &str) -> String {
        let language = self.language(locale);
        language.say_of(Told::UnknownCommand, &format!("/{name}"))
    }

    async fn carry_out(&self, command: Command) -> Option<String> {
        let mut words = command.words();
        if words.next() != Some(TRIGGER) {
            return None;
        }
        let language = self.language(&command.by.locale);
        let sub = words.next().map(str::to_owned);
        let rest: Vec<String> = words.map(str::to_owned).collect();
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        let Some(sub) = sub else {
            return Some(language.say(Told::WrongNumber).to_owned());
        };
        let shown = match (sub.as_str(), rest.as_slice()) {
            ("start" | "join" | "leave" | "end" | "logs", _) => Ok(String::new()),
            ("link", _) => Ok(language.say_with_link(Told::CallLink, &link(&command))),
            ("stats", [measured]) => stats(measured).map_err(Why::from),
            ("recording", ["start" | "stop"]) => Ok(String::new()),
            ("recording", ["pause"]) => self.pause(&command, true).await,
            ("recording", ["resume"]) => self.pause(&command, false).await,
            ("recording", [_]) => Err(Told::WrongArguments.into()),
            ("host", [name]) => self.make_host(&command, name).await,
            ("stats" | "recording" | "host", _) => Err(Told::WrongNumber.into()),
            (unknown, _) => return Some(language.say_of(Told::UnknownSubcommand, unknown)),
        };
        Some(shown.unwrap_or_else(|why| {
            let why = language.say_of(why.told, &why.of);
            language.say(Told::Failed).replace("{}", &why)
        }))
    }
}

/// Why a command was not carried out, and of whom or what that is said.
#[derive(Debug, PartialEq, Eq)]
struct Why {
    told: Told,
    of: String,
}

impl From<Told> for Why {
    fn from(told: Told) -> Self {
        let of = String::new();
        Self { told, of }
    }
}

impl Commands {
    /// The one of the person, else the server's.
    fn language(&self, locale: &str) -> Language {
        let engine = self.0.upgrade();
        engine.map_or(Language::English, |engine| engine.language_of(locale))
    }

    /// Clients know nothing of pauses: it is done here.
    async fn pause(&self, command: &Command, pause: bool) -> Result<String, Why> {
        let engine = self.0.upgrade().ok_or(Told::ServerStops)?;
        let by = command.by.id.clone();
        let done = engine.turn(&command.room, move |call, _| {
            if pause {
                call.pause_recording(&by)
            } else {
                call.resume_recording(&by)
            }
        });
        let done = done.await.map_err(|_| Told::Interrupted)?;
        done.map_err(why_not_recorded)?;
        Ok(String::new())
    }

    async fn make_host(&self, command: &Command, name: &str) -> Result<String, Why> {
        let engine = self.0.upgrade().ok_or(Told::ServerStops)?;
        if !engine.config.calls.host_controls_allowed {
            return Err(Told::HostControlsOff.into());
        }
        let name = name.strip_prefix('@').unwrap_or(name);
        let found = engine.chat.person_by_username(name).await;
        let nobody = |_| Why {
            told: Told::NobodyCalled,
            of: format!("@{name}"),
        };
        let new_host = found.map_err(nobody)?.id;
        let (by, is_admin) = (command.by.id.clone(), command.by.is_system_admin);
        let control = HostControl::Make { new_host };
        let made = engine.turn(&command.room, move |call, at| {
            call.host_control(&by, is_admin, control, at)
        });
        let made = made.await.map_err(|_| Told::Interrupted)?;
        made.map_err(why_not_hosted)?;
        Ok(String::new())
    }
}

fn link(command: &Command) -> String {
    let Command {
        site_url,
        team,
        room,
        ..
    } = command;
    format!("{site_url}/{team}/channels/{room}?join_call=true")
}

/// The client's measurements, which it writes as JSON in base64.
fn stats(measured: &str) -> Result<String, Told> {
    let json = STANDARD.decode(measured);
    let json = json.map_err(|_| Told::StatsUnreadable)?;
    let json: Value = serde_json::from_slice(&json).map_err(|_| Told::StatsUnreadable)?;
    if json.as_object().is_none_or(serde_json::Map::is_empty) {
        return Err(Told::StatsEmpty);
    }
    let json = serde_json::to_string_pretty(&json).map_err(|_| Told::StatsUnreadable)?;
    Ok(format!("```json\n{json}\n```"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurements_are_shown_as_json_and_nothing_else_is() {
        let coded = STANDARD.encode(r#"{"rtt":0.5}"#);
        assert_eq!(stats(&coded).unwrap(), "```json\n{\n  \"rtt\": 0.5\n}\n```");
        let empty = STANDARD.encode("{}");
        assert_eq!(stats(&empty), Err(Told::StatsEmpty));
        for bad in ["no base64!", "bm8ganNvbg=="] {
            assert_eq!(stats(bad), Err(Told::StatsUnreadable), "{bad}");
        }
    }
}
