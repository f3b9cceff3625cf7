//! In German.

use super::Told;

pub(super) const fn text(told: Told) -> &'static str {
    match told {
        Told::GroupCallsOff => {
            "Auf diesem Server gibt es Anrufe nur in Direktnachrichten. Rufen Sie jemanden von \
             hier direkt an, oder bitten Sie Ihren Administrator, Anrufe in Kanälen und \
             Gruppennachrichten zu erlauben."
        }
        Told::CallLink => "Link zum Anruf: {}",
        Told::CallLogs => "Protokoll des Anrufs: {}",
        Told::LogsKept => "Hier ist das Protokoll Ihres Anrufs",
        Told::Failed => "Fehler: {}",
        Told::WrongNumber => "Falsche Anzahl von Angaben",
        Told::WrongArguments => "Ungültige Angaben",
        Told::UnknownSubcommand => "Unbekannter Unterbefehl: {}",
        Told::UnknownCommand => {
            "Den Befehl {} gibt es nicht. Um ihn als Nachricht zu schreiben, setzen Sie ein \
             Leerzeichen davor."
        }
        Told::NobodyCalled => "Niemand heißt {}",
        Told::StatsUnreadable => "Die Messwerte sind nicht lesbar",
        Told::StatsEmpty => "Es gibt keine Messwerte",
        Told::HostControlsOff => "Die Steuerung durch Gastgeber ist nicht erlaubt",
        Told::ServerStops => "Der Server wird gerade beendet",
        Told::Interrupted => "Der Anruf endete durch einen Fehler mitten in der Anfrage",
        Told::NoCall => "Hier läuft kein Anruf",
        Told::NotHost => "Das darf nur der Gastgeber",
        Told::NotInCall => "Diese Person oder Sitzung ist nicht im Anruf",
        Told::BotHost => "Der Bot kann nicht Gastgeber sein",
        Told::RecordingsOff => "Aufnahmen sind nicht eingeschaltet",
        Told::NoJobService => "Der Aufnahmedienst ist nicht bereit",
        Told::NotRecorder => "Nur der Gastgeber darf aufnehmen",
        Told::RecordsAlready => "Der Anruf wird bereits aufgenommen",
        Told::RecordsNot => "Es läuft keine Aufnahme",
        Told::PausedAlready => "Die Aufnahme ist bereits angehalten",
        Told::PausedNot => "Die Aufnahme ist nicht angehalten",
        Told::AboutCall => "Einen Anruf beginnen, ihm beitreten oder ihn verlassen",
        Told::AboutStart => "Beginnt einen Anruf in diesem Kanal",
        Told::AboutJoin => "Tritt dem Anruf in diesem Kanal bei",
        Told::AboutLeave => "Verlässt den Anruf in diesem Kanal",
        Told::AboutEnd => "Beendet den Anruf für alle",
        Told::AboutLink => "Zeigt einen Link, der in den Anruf dieses Kanals führt",
        Told::AboutStats => "Zeigt, was Ihr Programm vom Anruf gemessen hat",
        Told::AboutLogs => "Schickt Ihnen das Protokoll Ihres Programms",
        Told::AboutRecording => "Beginnt, beendet oder unterbricht die Aufnahme des Anrufs",
        Told::AboutHost => "Macht jemanden zum Gastgeber des Anrufs",
        Told::AboutRecordingStart => "Beginnt, den Anruf aufzunehmen",
        Told::AboutRecordingStop => "Beendet die Aufnahme",
        Told::AboutRecordingPause => "Hält die Aufnahme an",
        Told::AboutRecordingResume => "Setzt die Aufnahme fort",
        Told::CallStarted => "{} hat einen Anruf begonnen",
        Told::CallEnded => "Anruf beendet",
        Told::RecordingIsHere => "Hier ist die Aufnahme des Anrufs",
        Told::TranscriptIsHere => "Hier ist die Abschrift des Anrufs",
        Told::NoRecording => "Von diesem Anruf gibt es keine Aufnahme: {}",
        Told::NoTranscript => "Von diesem Anruf gibt es keine Abschrift: {}",
        Told::SummaryHead => "Zusammenfassung des Anrufs",
        Told::SummaryFoot => "Von einer Maschine aus der Abschrift geschrieben.",
    }
}
