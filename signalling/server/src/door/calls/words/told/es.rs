//! In Spanish.

use super::Told;

pub(super) const fn text(told: Told) -> &'static str {
    match told {
        Told::GroupCallsOff => {
            "En este servidor solo hay llamadas en los mensajes directos. Llame directamente a \
             alguien de aquí o pida a su administrador que permita las llamadas en los canales y \
             en los mensajes de grupo."
        }
        Told::CallLink => "Enlace a la llamada: {}",
        Told::CallLogs => "Registro de la llamada: {}",
        Told::LogsKept => "Aquí está el registro de su llamada",
        Told::Failed => "No se ha hecho: {}",
        Told::WrongNumber => "Número de argumentos incorrecto",
        Told::WrongArguments => "Argumentos no válidos",
        Told::UnknownSubcommand => "Subcomando desconocido: {}",
        Told::UnknownCommand => {
            "No existe el comando {}: para escribirlo como mensaje, ponga un espacio delante."
        }
        Told::NobodyCalled => "no hay nadie que se llame {}",
        Told::StatsUnreadable => "No se pueden leer las mediciones",
        Told::StatsEmpty => "No hay mediciones",
        Told::HostControlsOff => "los controles de anfitrión no están permitidos",
        Told::ServerStops => "el servidor se está deteniendo",
        Told::Interrupted => "la llamada terminó por un fallo en mitad de la petición",
        Told::NoCall => "no hay ninguna llamada en curso",
        Told::NotHost => "solo puede hacerlo el anfitrión",
        Told::NotInCall => "esa persona o sesión no está en la llamada",
        Told::BotHost => "el bot no puede ser anfitrión",
        Told::RecordingsOff => "las grabaciones no están activadas",
        Told::NoJobService => "el servicio de grabación no está listo",
        Told::NotRecorder => "solo el anfitrión puede grabar",
        Told::RecordsAlready => "la llamada ya se está grabando",
        Told::RecordsNot => "no hay ninguna grabación en curso",
        Told::PausedAlready => "la grabación ya está en pausa",
        Told::PausedNot => "la grabación no está en pausa",
        Told::AboutCall => "Iniciar una llamada, unirse a ella o salir",
        Told::AboutStart => "Inicia una llamada en este canal",
        Told::AboutJoin => "Se une a la llamada de este canal",
        Told::AboutLeave => "Sale de la llamada de este canal",
        Told::AboutEnd => "Termina la llamada para todos",
        Told::AboutLink => "Muestra un enlace que lleva a la llamada de este canal",
        Told::AboutStats => "Muestra lo que su programa midió de la llamada",
        Told::AboutLogs => "Le envía el registro de su programa",
        Told::AboutRecording => "Inicia, detiene o pausa la grabación de la llamada",
        Told::AboutHost => "Hace a alguien anfitrión de la llamada",
        Told::AboutRecordingStart => "Empieza a grabar la llamada",
        Told::AboutRecordingStop => "Detiene la grabación",
        Told::AboutRecordingPause => "Pausa la grabación",
        Told::AboutRecordingResume => "Reanuda la grabación",
        Told::CallStarted => "{} inició una llamada",
        Told::CallEnded => "Llamada terminada",
        Told::RecordingIsHere => "Aquí está la grabación de la llamada",
        Told::TranscriptIsHere => "Aquí está la transcripción de la llamada",
        Told::NoRecording => "No hay grabación de esta llamada: {}",
        Told::NoTranscript => "No hay transcripción de esta llamada: {}",
        Told::SummaryHead => "Resumen de la llamada",
        Told::SummaryFoot => "Escrito por una máquina a partir de la transcripción.",
    }
}
