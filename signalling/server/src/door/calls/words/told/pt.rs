//! In Portuguese, as in Brazil.

use super::Told;

pub(super) const fn text(told: Told) -> &'static str {
    match told {
        Told::GroupCallsOff => {
            "Neste servidor só há chamadas em mensagens diretas. Ligue diretamente para alguém \
             daqui ou peça ao seu administrador que permita chamadas em canais e mensagens de \
             grupo."
        }
        Told::CallLink => "Link da chamada: {}",
        Told::CallLogs => "Registro da chamada: {}",
        Told::LogsKept => "Aqui está o registro da sua chamada",
        Told::Failed => "Erro: {}",
        Told::WrongNumber => "Número de argumentos incorreto",
        Told::WrongArguments => "Argumentos inválidos",
        Told::UnknownSubcommand => "Subcomando desconhecido: {}",
        Told::UnknownCommand => {
            "O comando {} não existe: para escrevê-lo como mensagem, coloque um espaço antes."
        }
        Told::NobodyCalled => "não há ninguém chamado {}",
        Told::StatsUnreadable => "Não é possível ler as medições",
        Told::StatsEmpty => "Não há medições",
        Told::HostControlsOff => "os controles do anfitrião não são permitidos",
        Told::ServerStops => "o servidor está parando",
        Told::Interrupted => "a chamada terminou por uma falha no meio do pedido",
        Told::NoCall => "não há nenhuma chamada em andamento",
        Told::NotHost => "só o anfitrião pode fazer isso",
        Told::NotInCall => "essa pessoa ou sessão não está na chamada",
        Told::BotHost => "o bot não pode ser anfitrião",
        Told::RecordingsOff => "as gravações não estão ativadas",
        Told::NoJobService => "o serviço de gravação não está pronto",
        Told::NotRecorder => "só o anfitrião pode gravar",
        Told::RecordsAlready => "a chamada já está sendo gravada",
        Told::RecordsNot => "não há nenhuma gravação em andamento",
        Told::PausedAlready => "a gravação já está pausada",
        Told::PausedNot => "a gravação não está pausada",
        Told::AboutCall => "Iniciar uma chamada, entrar nela ou sair",
        Told::AboutStart => "Inicia uma chamada neste canal",
        Told::AboutJoin => "Entra na chamada deste canal",
        Told::AboutLeave => "Sai da chamada deste canal",
        Told::AboutEnd => "Encerra a chamada para todos",
        Told::AboutLink => "Mostra um link que leva à chamada deste canal",
        Told::AboutStats => "Mostra o que o seu programa mediu da chamada",
        Told::AboutLogs => "Envia a você o registro do seu programa",
        Told::AboutRecording => "Inicia, para ou pausa a gravação da chamada",
        Told::AboutHost => "Torna alguém anfitrião da chamada",
        Told::AboutRecordingStart => "Começa a gravar a chamada",
        Told::AboutRecordingStop => "Para a gravação",
        Told::AboutRecordingPause => "Pausa a gravação",
        Told::AboutRecordingResume => "Retoma a gravação",
        Told::CallStarted => "{} iniciou uma chamada",
        Told::CallEnded => "Chamada encerrada",
        Told::RecordingIsHere => "Aqui está a gravação da chamada",
        Told::TranscriptIsHere => "Aqui está a transcrição da chamada",
        Told::NoRecording => "Não há gravação desta chamada: {}",
        Told::NoTranscript => "Não há transcrição desta chamada: {}",
        Told::SummaryHead => "Resumo da chamada",
        Told::SummaryFoot => "Escrito por uma máquina a partir da transcrição.",
    }
}
