//! In Arabic.

use super::Told;

pub(super) const fn text(told: Told) -> &'static str {
    match told {
        Told::GroupCallsOff => {
            "المكالمات في هذا الخادم للرسائل المباشرة فقط. ابدأ مكالمة مباشرة مع شخص من هنا، أو \
             اطلب من المسؤول السماح بالمكالمات في القنوات والرسائل الجماعية."
        }
        Told::CallLink => "رابط المكالمة: {}",
        Told::CallLogs => "سجل المكالمة: {}",
        Told::LogsKept => "هذا سجل مكالمتك",
        Told::Failed => "خطأ: {}",
        Told::WrongNumber => "عدد المعطيات غير صحيح",
        Told::WrongArguments => "المعطيات غير صالحة",
        Told::UnknownSubcommand => "أمر فرعي غير معروف: {}",
        Told::UnknownCommand => "لا يوجد أمر بالاسم {}. لكتابته رسالةً، ضع مسافة قبله.",
        Told::NobodyCalled => "لا يوجد أحد باسم {}",
        Told::StatsUnreadable => "تعذرت قراءة القياسات",
        Told::StatsEmpty => "لا توجد قياسات",
        Told::HostControlsOff => "تحكم المضيف غير مسموح به",
        Told::ServerStops => "الخادم يتوقف الآن",
        Told::Interrupted => "انتهت المكالمة بسبب عطل أثناء الطلب",
        Told::NoCall => "لا توجد مكالمة جارية",
        Told::NotHost => "هذا للمضيف فقط",
        Told::NotInCall => "هذا الشخص أو هذه الجلسة ليست في المكالمة",
        Told::BotHost => "لا يمكن أن يكون البوت مضيفًا",
        Told::RecordingsOff => "التسجيل غير مفعّل",
        Told::NoJobService => "خدمة التسجيل غير جاهزة",
        Told::NotRecorder => "التسجيل للمضيف فقط",
        Told::RecordsAlready => "المكالمة قيد التسجيل بالفعل",
        Told::RecordsNot => "لا يوجد تسجيل جارٍ",
        Told::PausedAlready => "التسجيل متوقف مؤقتًا بالفعل",
        Told::PausedNot => "التسجيل غير متوقف مؤقتًا",
        Told::AboutCall => "بدء مكالمة أو الانضمام إليها أو مغادرتها",
        Told::AboutStart => "يبدأ مكالمة في هذه القناة",
        Told::AboutJoin => "ينضم إلى المكالمة في هذه القناة",
        Told::AboutLeave => "يغادر المكالمة في هذه القناة",
        Told::AboutEnd => "ينهي المكالمة للجميع",
        Told::AboutLink => "يعرض رابطًا للانضمام إلى المكالمة في هذه القناة",
        Told::AboutStats => "يعرض ما قاسه برنامجك من المكالمة",
        Told::AboutLogs => "يرسل إليك سجل برنامجك",
        Told::AboutRecording => "يبدأ تسجيل المكالمة أو ينهيه أو يوقفه مؤقتًا",
        Told::AboutHost => "يجعل شخصًا مضيفَ المكالمة",
        Told::AboutRecordingStart => "يبدأ تسجيل المكالمة",
        Told::AboutRecordingStop => "ينهي التسجيل",
        Told::AboutRecordingPause => "يوقف التسجيل مؤقتًا",
        Told::AboutRecordingResume => "يتابع التسجيل",
        Told::CallStarted => "بدأ {} مكالمة",
        Told::CallEnded => "انتهت المكالمة",
        Told::RecordingIsHere => "هذا تسجيل المكالمة",
        Told::TranscriptIsHere => "هذا نص المكالمة",
        Told::NoRecording => "لا يوجد تسجيل لهذه المكالمة: {}",
        Told::NoTranscript => "لا يوجد نص لهذه المكالمة: {}",
        Told::SummaryHead => "ملخص المكالمة",
        Told::SummaryFoot => "كتبته آلة من نص المكالمة.",
    }
}
