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

use crate::door::calls::words;
use crate::engine::Engine;

const TRIGGER: &str = "call";
const WRONG_NUMBER: &str = "Invalid number of arguments provided";

/// Carries out `/call`. Weak, for the chat server that asks belongs to the engine.
#[derive(Debug)]
pub(crate) struct Commands(pub(crate) Weak<Engine>);

#[async_trait]
impl CommandHandler for Commands {
    fn offers(&self) -> Vec<Offer> {
        let offer = Offer::new;
        let ways = vec![
            offer("start", "", "Starts recording the call"),
            offer("stop", "", "Stops the recording"),
            offer("pause", "", "Pauses the recording"),
            offer("resume", "", "Goes on with the recording"),
        ];
        let next = vec![
            offer("start", "[title]", "Starts a call in this channel"),
            offer("join", "", "Joins the call in this channel"),
            offer("leave", "", "Leaves the call in this channel"),
            offer("end", "", "Ends the call for everybody"),
            offer(
                "link",
                "",
                "Shows a link that joins the call in this channel",
            ),
            offer("stats", "", "Shows what your client measured of the call"),
            offer("logs", "", "Sends you the log of your client"),
            offer(
                "recording",
                "[start|stop|pause|resume]",
                "Starts, stops or pauses the recording of the call",
            )
            .followed_by(ways),
            offer("host", "@username", "Makes somebody the host of the call"),
        ];
        let about = "Start, join or leave a call";
        vec![offer(TRIGGER, "[command]", about).followed_by(next)]
    }

    async fn carry_out(&self, command: Command) -> Option<String> {
        let mut words = command.words();
        if words.next() != Some(TRIGGER) {
            return None;
        }
        let sub = words.next().map(str::to_owned);
        let rest: Vec<String> = words.map(str::to_owned).collect();
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        let Some(sub) = sub else {
            return Some(WRONG_NUMBER.to_owned());
        };
        let shown = match (sub.as_str(), rest.as_slice()) {
            ("start" | "join" | "leave" | "end" | "logs", _) => Ok(String::new()),
            ("link", _) => Ok(link(&command)),
            ("stats", [measured]) => stats(measured),
            ("recording", ["start" | "stop"]) => Ok(String::new()),
            ("recording", ["pause"]) => self.pause(&command, true).await,
            ("recording", ["resume"]) => self.pause(&command, false).await,
            ("recording", [_]) => Err("Invalid arguments provided".to_owned()),
            ("host", [name]) => self.make_host(&command, name).await,
            ("stats" | "recording" | "host", _) => Err(WRONG_NUMBER.to_owned()),
            (unknown, _) => return Some(format!("Invalid subcommand: {unknown}")),
        };
        Some(shown.unwrap_or_else(|error| format!("Error: {error}")))
    }
}

impl Commands {
    /// Clients know nothing of pauses: it is done here.
    async fn pause(&self, command: &Command, pause: bool) -> Result<String, String> {
        let engine = self.0.upgrade().ok_or("the server stops")?;
        let by = command.by.id.clone();
        let done = engine.turn(&command.room, move |call, _| {
            if pause {
                call.pause_recording(&by)
            } else {
                call.resume_recording(&by)
            }
        });
        let done = done.await.map_err(|fault| fault.to_string())?;
        done.map_err(|error| words::recording(error).to_owned())?;
        Ok(String::new())
    }

    async fn make_host(&self, command: &Command, name: &str) -> Result<String, String> {
        let stops = || "the server stops".to_owned();
        let engine = self.0.upgrade().ok_or_else(stops)?;
        if !engine.config.calls.host_controls_allowed {
            return Err("host controls are not allowed".to_owned());
        }
        let name = name.strip_prefix('@').unwrap_or(name);
        let found = engine.chat.person_by_username(name).await;
        let new_host = found
            .map_err(|_| format!("there is nobody called @{name}"))?
            .id;
        let (by, is_admin) = (command.by.id.clone(), command.by.is_system_admin);
        let control = HostControl::Make { new_host };
        let made = engine.turn(&command.room, move |call, at| {
            call.host_control(&by, is_admin, control, at)
        });
        let made = made.await.map_err(|fault| fault.to_string())?;
        made.map_err(|error| words::host_control(error).to_owned())?;
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
    format!("Call link: {site_url}/{team}/channels/{room}?join_call=true")
}

/// The client's measurements, which it writes as JSON in base64.
fn stats(measured: &str) -> Result<String, String> {
    let unreadable = || "Invalid stats object".to_owned();
    let json = STANDARD.decode(measured).map_err(|_| unreadable())?;
    let json: Value = serde_json::from_slice(&json).map_err(|_| unreadable())?;
    if json.as_object().is_none_or(serde_json::Map::is_empty) {
        return Err("Empty stats object".to_owned());
    }
    let json = serde_json::to_string_pretty(&json).map_err(|_| unreadable())?;
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
        assert_eq!(stats(&empty), Err("Empty stats object".to_owned()));
        for bad in ["no base64!", "bm8ganNvbg=="] {
            assert_eq!(stats(bad), Err("Invalid stats object".to_owned()), "{bad}");
        }
    }
}
