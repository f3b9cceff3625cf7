//! In French.

use super::Told;

pub(super) const fn text(told: Told) -> &'static str {
    match told {
        Told::GroupCallsOff => {
            "Sur ce serveur, les appels ne sont possibles que dans les messages directs. Appelez \
             directement quelqu’un d’ici, ou demandez à votre administrateur d’autoriser les \
             appels dans les canaux et les messages de groupe."
        }
        Told::CallLink => "Lien de l’appel : {}",
        Told::CallLogs => "Journal de l’appel : {}",
        Told::LogsKept => "Voici le journal de votre appel",
        Told::Failed => "Erreur : {}",
        Told::WrongNumber => "Nombre d’arguments incorrect",
        Told::WrongArguments => "Arguments non valables",
        Told::UnknownSubcommand => "Sous-commande inconnue : {}",
        Told::UnknownCommand => {
            "La commande {} n’existe pas : pour l’écrire comme message, mettez une espace \
             devant."
        }
        Told::NobodyCalled => "personne ne s’appelle {}",
        Told::StatsUnreadable => "Les mesures sont illisibles",
        Told::StatsEmpty => "Il n’y a pas de mesures",
        Told::HostControlsOff => "les commandes de l’hôte ne sont pas autorisées",
        Told::ServerStops => "le serveur est en train de s’arrêter",
        Told::Interrupted => "l’appel s’est terminé par une panne au milieu de la demande",
        Told::NoCall => "aucun appel en cours",
        Told::NotHost => "seul l’hôte peut le faire",
        Told::NotInCall => "cette personne ou cette session n’est pas dans l’appel",
        Told::BotHost => "le bot ne peut pas être l’hôte",
        Told::RecordingsOff => "les enregistrements ne sont pas activés",
        Told::NoJobService => "le service d’enregistrement n’est pas prêt",
        Told::NotRecorder => "seul l’hôte peut enregistrer",
        Told::RecordsAlready => "l’appel est déjà enregistré",
        Told::RecordsNot => "aucun enregistrement en cours",
        Told::PausedAlready => "l’enregistrement est déjà en pause",
        Told::PausedNot => "l’enregistrement n’est pas en pause",
        Told::AboutCall => "Commencer un appel, le rejoindre ou le quitter",
        Told::AboutStart => "Commence un appel dans ce canal",
        Told::AboutJoin => "Rejoint l’appel de ce canal",
        Told::AboutLeave => "Quitte l’appel de ce canal",
        Told::AboutEnd => "Termine l’appel pour tout le monde",
        Told::AboutLink => "Affiche un lien qui mène à l’appel de ce canal",
        Told::AboutStats => "Affiche ce que votre programme a mesuré de l’appel",
        Told::AboutLogs => "Vous envoie le journal de votre programme",
        Told::AboutRecording => "Commence, arrête ou suspend l’enregistrement de l’appel",
        Told::AboutHost => "Fait de quelqu’un l’hôte de l’appel",
        Told::AboutRecordingStart => "Commence l’enregistrement de l’appel",
        Told::AboutRecordingStop => "Arrête l’enregistrement",
        Told::AboutRecordingPause => "Suspend l’enregistrement",
        Told::AboutRecordingResume => "Reprend l’enregistrement",
        Told::CallStarted => "{} a commencé un appel",
        Told::CallEnded => "Appel terminé",
        Told::RecordingIsHere => "Voici l’enregistrement de l’appel",
        Told::TranscriptIsHere => "Voici la transcription de l’appel",
        Told::NoRecording => "Il n’y a pas d’enregistrement de cet appel : {}",
        Told::NoTranscript => "Il n’y a pas de transcription de cet appel : {}",
        Told::SummaryHead => "Résumé de l’appel",
        Told::SummaryFoot => "Écrit par une machine à partir de la transcription.",
    }
}
